import { ArrowLeft, ArrowRight } from "lucide";
import type { Wire } from "../../dev/simulator/model.ts";
import { Button } from "../kit/components/button.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { call, logFilter, shown, tab } from "./state.ts";
import { say } from "./words.ts";

/** As many as a person looks through. */
const MOST = 120;

/** Each webhook and call with its answer, the newest first. */
export function WirePanel() {
  const { wire } = shown.value!;
  return (
    <ol class="s-wire">
      {wire
        .slice(-MOST)
        .reverse()
        .map((one) => (
          <li key={one.n}>
            <Exchange wire={one} />
          </li>
        ))}
    </ol>
  );
}

function Exchange({ wire }: { readonly wire: Wire }) {
  const { n, device, kind, method, path, status, ms, headers, body, answer, request_id } = wire;
  const failed = status !== undefined && (status === 0 || status >= 400);
  return (
    <details data-failed={failed ? "" : undefined}>
      <summary>
        <span class="s-chip" data-device={device}>
          {device}
        </span>
        <Icon of={kind === "call" ? ArrowLeft : ArrowRight} mirrored />
        <code dir="ltr">
          {method} {path}
        </code>
        <span>
          {status ?? "…"}
          {ms !== undefined && ` · ${ms} ms`}
        </span>
      </summary>
      <div class="s-row">
        {kind === "webhook" && (
          <Button look="quiet" onClick={() => call(`wire/${n}/replay`, {})}>
            {say("replay")}
          </Button>
        )}
        {request_id && (
          <Button
            look="quiet"
            onClick={() => {
              logFilter.value = request_id;
              tab.value = "log";
            }}
          >
            {say("lines")}
          </Button>
        )}
      </div>
      {headers && Object.keys(headers).length > 0 && (
        <Part title={say("headers")} text={JSON.stringify(headers)} />
      )}
      {body && <Part title={say("body")} text={body} />}
      {answer && <Part title={say("answer")} text={answer} />}
    </details>
  );
}

function Part({ title, text }: { readonly title: string; readonly text: string }) {
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <pre dir="ltr" tabIndex={0}>
        {pretty(text)}
      </pre>
    </figure>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
