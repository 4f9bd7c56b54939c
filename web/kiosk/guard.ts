/**
 * Watches the start. It is a file of its own, so that a page whose other files do not arrive is not blank for ever: after
 * the limit it offers to begin again, and does so by itself.
 */
const LIMIT_MS = 5_000;
const AGAIN_MS = 15_000;

setTimeout(() => {
  if (document.documentElement.dataset.started) return;
  const button = document.createElement("button");
  button.textContent =
    "↻ Start again · फिर से शुरू करें · Empezar de nuevo · ابدأ من جديد · Recommencer · Mulai lagi";
  button.addEventListener("click", () => location.reload());
  document.getElementById("kiosk")!.replaceChildren(button);
  setTimeout(() => document.documentElement.dataset.started || location.reload(), AGAIN_MS);
}, LIMIT_MS);
