import { Button } from "../kit/components/button.tsx";
import { logFilter, shown } from "./state.ts";
import { say } from "./words.ts";

const MOST = 200;

/** The hub's log lines: all, or those of one request. */
export function LogPanel() {
  const wanted = logFilter.value;
  const lines = shown.value!.logs.filter(({ request_id }) => !wanted || request_id === wanted);
  return (
    <>
      {wanted && (
        <div class="s-row">
          <code>{wanted.slice(0, 8)}</code>
          <Button look="quiet" onClick={() => (logFilter.value = "")}>
            {say("allLines")}
          </Button>
        </div>
      )}
      {lines.length === 0 && <p>{say("noLines")}</p>}
      <ol class="s-wire">
        {lines
          .slice(-MOST)
          .reverse()
          .map(({ n, level, event, request_id, fields }) => (
            <li key={n}>
              <details data-failed={level === "warn" || level === "error" ? "" : undefined}>
                <summary>
                  <span class="s-chip">{level}</span>
                  <code dir="ltr">{event}</code>
                  <span dir="ltr">
                    {[fields.route, fields.status, fields.outcome].filter(Boolean).join(" ")}
                  </span>
                </summary>
                <pre dir="ltr" tabIndex={0}>
                  {JSON.stringify({ request_id, ...fields }, null, 2)}
                </pre>
              </details>
            </li>
          ))}
      </ol>
    </>
  );
}
