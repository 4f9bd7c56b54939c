/** `/desk`: where people of the shop read and answer. */
import "../kit/page.css";
import "./desk.css";
import { effect } from "@preact/signals";
import { render } from "preact";
import { words as contentWords } from "../kit/content/words.ts";
import { dressPage } from "../kit/dress-page.ts";
import { directionOf } from "../kit/i18n/languages.ts";
import { Desk } from "./desk.tsx";
import { signInByLink } from "./sign-in.tsx";
import { begin } from "./state.ts";
import { words } from "./words.ts";

effect(() =>
  dressPage({ language: words.language, dir: directionOf(words.language), title: words.say("title") }),
);
const wanted = [new URLSearchParams(location.search).get("language"), ...navigator.languages];
await Promise.all([words.use(...wanted), contentWords.use(...wanted)]).catch(() => {});
render(<Desk />, document.body);
await signInByLink();
await begin();
