import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call } from "./api.ts";
import { report } from "./state.ts";
import { words } from "./words.ts";

interface Line {
  readonly key: string | null;
  readonly messages_in: number;
  readonly messages_out: number;
}
interface Figures {
  readonly requested: number;
  readonly overdue: number;
  readonly wait: { readonly median_ms: number | null };
}

const days = signal<readonly Line[]>([]);
const channels = signal<readonly Line[]>([]);
const figures = signal<Figures | undefined>(undefined);
const WIDTH = 720;
const HEIGHT = 160;
/** Beside the plot, for its numbers, and below it, for its days. */
const LEFT = 44;
const BELOW = 22;

/** Figures of the last thirty days. */
export function Numbers() {
  const { say } = words;
  useEffect(() => {
    Promise.all([
      call<{ rows: Line[] }>("/api/stats?by=day"),
      call<{ rows: Line[] }>("/api/stats?by=channel"),
      call<Figures>("/api/stats/handoffs"),
    ])
      .then(([byDay, byChannel, handoffs]) => {
        days.value = byDay.rows;
        channels.value = byChannel.rows;
        figures.value = handoffs;
      })
      .catch(report);
  }, []);
  const total = (name: "messages_in" | "messages_out") =>
    shown(days.value.reduce((sum, day) => sum + day[name], 0));
  const wait = figures.value?.wait.median_ms;
  return (
    <main class="desk-page desk-numbers">
      <h2>{say("numbers")}</h2>
      <dl class="desk-figures">
        <Figure name={say("received")} value={total("messages_in")} />
        <Figure name={say("sent")} value={total("messages_out")} />
        <Figure name={say("handoffs")} value={shown(figures.value?.requested ?? 0)} />
        <Figure
          name={say("medianWait")}
          value={
            wait == null
              ? "–"
              : (wait / 60_000).toLocaleString(words.language, {
                  style: "unit",
                  unit: "minute",
                  maximumFractionDigits: 1,
                })
          }
        />
        <Figure name={say("overdue")} value={shown(figures.value?.overdue ?? 0)} />
      </dl>
      <figure>
        <figcaption>
          {say("perDay")} <Legend />
        </figcaption>
        <Bars
          lines={days.value}
          label={`${say("perDay")}: ${say("received")} ${total("messages_in")}, ${say("sent")} ${total("messages_out")}`}
        />
      </figure>
      <figure>
        <figcaption>{say("perChannel")}</figcaption>
        <Shares lines={channels.value} />
      </figure>
    </main>
  );
}

const shown = (count: number) => count.toLocaleString(words.language);

function Figure({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Legend() {
  return (
    <small class="desk-legend">
      <i class="desk-in" /> {words.say("received")} <i class="desk-out" /> {words.say("sent")}
    </small>
  );
}

/** Two bars a day. Time goes as the page's language is read. */
function Bars({ lines, label }: { readonly lines: readonly Line[]; readonly label: string }) {
  const most = roundUp(Math.max(1, ...lines.flatMap((one) => [one.messages_in, one.messages_out])));
  const step = (WIDTH - LEFT) / Math.max(1, lines.length);
  const at = (count: number) => (count / most) * HEIGHT;
  const everySo = Math.ceil(lines.length / 6);
  const day = (key: string | null) =>
    key === null ? "" : new Date(key).toLocaleDateString(words.language, { day: "numeric", month: "short" });
  return (
    <svg class="desk-plot" role="img" aria-label={label} viewBox={`0 0 ${WIDTH} ${HEIGHT + BELOW + 8}`}>
      {[0, 0.5, 1].map((part) => (
        <g key={part} transform={`translate(0 ${8 + HEIGHT * (1 - part)})`}>
          <line x1={LEFT} x2={WIDTH} class="desk-rule" />
          <text x={LEFT - 6} y={4} text-anchor="end">
            {shown(most * part)}
          </text>
        </g>
      ))}
      {lines.map(({ key, messages_in, messages_out }, i) => (
        <g key={key} transform={`translate(${LEFT + i * step} 8)`}>
          <title>{`${day(key)}: ${shown(messages_in)} / ${shown(messages_out)}`}</title>
          <rect
            class="desk-in"
            x={step * 0.15}
            width={step * 0.33}
            y={HEIGHT - at(messages_in)}
            height={at(messages_in)}
          />
          <rect
            class="desk-out"
            x={step * 0.52}
            width={step * 0.33}
            y={HEIGHT - at(messages_out)}
            height={at(messages_out)}
          />
          {i % everySo === 0 && (
            <text y={HEIGHT + BELOW - 4} x={step / 2} text-anchor="middle">
              {day(key)}
            </text>
          )}
        </g>
      ))}
    </svg>
  );
}

/** One line a channel, as long as its part of all messages. */
function Shares({ lines }: { readonly lines: readonly Line[] }) {
  const all = (one: Line) => one.messages_in + one.messages_out;
  const most = Math.max(1, ...lines.map(all));
  return (
    <ul class="desk-shares">
      {lines.map((one) => (
        <li key={one.key}>
          <span>{one.key ?? "–"}</span>
          <progress max={most} value={all(one)} aria-label={one.key ?? "–"} />
          <span>{shown(all(one))}</span>
        </li>
      ))}
    </ul>
  );
}

/** The next number that reads well on an axis. */
function roundUp(count: number): number {
  const size = 10 ** Math.floor(Math.log10(count));
  return ([1, 2, 5, 10].find((one) => one * size >= count) ?? 10) * size;
}
