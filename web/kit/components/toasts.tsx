import { signal } from "@preact/signals";
import { Button } from "./button.tsx";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

const SHOWN_MS = 6_000;
const toasts = signal<readonly Toast[]>([]);
let count = 0;

/** Shows a short text for six seconds; with an action until it is used or replaced. */
export function showToast(text: string, action?: Toast["action"]): void {
  const id = ++count;
  toasts.value = [...toasts.value.slice(-2), { id, text, ...(action && { action }) }];
  if (!action) setTimeout(() => hide(id), SHOWN_MS);
}

function hide(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

/** Where toasts appear. Once per page; it stays in the page, so that a screen reader reads what comes. */
export function Toasts() {
  return (
    <div class="k-toasts" role="status">
      {toasts.value.map(({ id, text, action }) => (
        <div class="k-toast" key={id}>
          <span>{text}</span>
          {action && (
            <Button
              look="bare"
              onClick={() => {
                hide(id);
                action.run();
              }}
            >
              {action.label}
            </Button>
          )}
        </div>
      ))}
    </div>
  );
}
