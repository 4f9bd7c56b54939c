/** The shop's page in the frame of the simulator's web device, with the chat that every shop's page has. */
import "../kit/page.css";
import "./shop.css";
import { render } from "preact";
import { dressPage } from "../kit/dress-page.ts";
import { directionOf } from "../kit/i18n/languages.ts";
import { say, words } from "./words.ts";

const GOODS = [
  ["☕", "coffee"],
  ["🍵", "tea"],
  ["🍰", "cake"],
] as const;

await words.use(navigator.language).catch(() => {});
dressPage({ language: words.language, dir: directionOf(words.language), title: say("demoShop") });
render(
  <main class="shop">
    <h1>{say("demoShop")}</h1>
    <ul>
      {GOODS.map(([sign, word]) => (
        <li key={word}>
          <span aria-hidden="true">{sign}</span>
          {say(word)}
        </li>
      ))}
    </ul>
  </main>,
  document.body,
);
const script = document.createElement("script");
script.src = "/chat.js";
script.async = true;
script.dataset.language = words.language;
const { theme } = document.documentElement.dataset;
if (theme) script.dataset.theme = theme;
document.body.append(script);
