import "../kit/page.css";
import { render } from "preact";

render(
  <main>
    <h1>Kiosk</h1>
  </main>,
  document.body,
);
