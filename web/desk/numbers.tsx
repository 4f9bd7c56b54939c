import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call } from "./api.ts";
import { report } from "./state.ts";
import { words } from "./words.ts";

interface Day {
  readonly key: string | null;
  readonly messages_in: number;
  readonly messages_out: number;
}
interface Figures {
  readonly requested: number;
  readonly overdue: number;
  readonly wait: { readonly median_ms: number | null };
}

const days = signal<readonly Day[]>([]);
const figures = signal<Figures | undefined>(undefined);
const HEIGHT = 160;
const BAR = 10;

/** Figures of the last thirty days. */
export function Numbers() {
  const { say } = words;
  useEffect(() => {
    Promise.all([call<{ rows: Day[] }>("/api/stats?by=day"), call<Figures>("/api/stats/handoffs")])
      .then(([stats, handoffs]) => {
        days.value = stats.rows;
        figures.value = handoffs;
      })
      .catch(report);
  }, []);
  const most = Math.max(
    1,
    ...days.value.map(({ messages_in, messages_out }) => Math.max(messages_in, messages_out)),
  );
  const at = (count: number) => (count / most) * HEIGHT;
  const total = (name: "messages_in" | "messages_out") =>
    days.value.reduce((sum, day) => sum + day[name], 0).toLocaleString(words.language);
  const wait = figures.value?.wait.median_ms;
  return (
    <main class="desk-numbers">
      <h2>{say("numbers")}</h2>
      <dl>
        <dt>{say("received")}</dt>
        <dd>{total("messages_in")}</dd>
        <dt>{say("sent")}</dt>
        <dd>{total("messages_out")}</dd>
        <dt>{say("handoffs")}</dt>
        <dd>{(figures.value?.requested ?? 0).toLocaleString(words.language)}</dd>
        <dt>{say("medianWait")}</dt>
        <dd>
          {wait == null
            ? "–"
            : (wait / 60_000).toLocaleString(words.language, {
                style: "unit",
                unit: "minute",
                maximumFractionDigits: 1,
              })}
        </dd>
        <dt>{say("overdue")}</dt>
        <dd>{(figures.value?.overdue ?? 0).toLocaleString(words.language)}</dd>
      </dl>
      <figure>
        <figcaption>{say("perDay")}</figcaption>
        <svg
          class="desk-plot"
          role="img"
          aria-label={`${say("perDay")}: ${say("received")} ${total("messages_in")}, ${say("sent")} ${total("messages_out")}`}
          viewBox={`0 0 ${Math.max(1, days.value.length) * BAR * 3} ${HEIGHT}`}
          preserveAspectRatio="none"
        >
          {days.value.map(({ key, messages_in, messages_out }, i) => (
            <g key={key} transform={`translate(${i * BAR * 3} 0)`}>
              <title>{`${key}: ${messages_in} / ${messages_out}`}</title>
              <rect class="desk-in" x={0} y={HEIGHT - at(messages_in)} width={BAR} height={at(messages_in)} />
              <rect
                class="desk-out"
                x={BAR}
                y={HEIGHT - at(messages_out)}
                width={BAR}
                height={at(messages_out)}
              />
            </g>
          ))}
        </svg>
      </figure>
    </main>
  );
}
