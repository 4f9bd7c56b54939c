/** `/simulator`, in development only: four devices and the hub from inside. */
import "../kit/page.css";
import "./simulator.css";
import "./platforms.css";
import { effect } from "@preact/signals";
import { render } from "preact";
import { dressPage } from "../kit/dress-page.ts";
import { directionOf } from "../kit/i18n/languages.ts";
import { App } from "./app.tsx";
import { begin } from "./state.ts";
import { say, words } from "./words.ts";

const query = new URLSearchParams(location.search);
const theme = query.get("theme");
if (theme) document.documentElement.dataset.theme = theme;
effect(() => dressPage({ language: words.language, dir: directionOf(words.language), title: say("title") }));
void words.use(query.get("language"), navigator.language);
void begin();
render(<App />, document.body);
