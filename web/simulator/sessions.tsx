import { Mail, Merge } from "lucide";
import { Icon } from "../kit/components/icon.tsx";
import { hubNow, shown } from "./state.ts";
import { say, words } from "./words.ts";

type Row = Readonly<Record<string, unknown>>;

/** The person's sessions, and what is on its way in them. */
export function Sessions() {
  const { sessions, identities, turns, deliveries, reachable } = shown.value!.inside;
  return (
    <>
      {!reachable && <p class="s-badge">{say("unreachable")}</p>}
      {sessions.length === 0 && <p>{say("noSession")}</p>}
      {sessions.toReversed().map((session) => (
        <SessionCard key={String(session.session_id)} session={session} />
      ))}
      <Table
        title={say("turns")}
        rows={turns}
        columns={["channel", "state", "attempt", "code"]}
        id="turn_id"
      />
      <Table
        title={say("deliveries")}
        rows={deliveries.slice(-8)}
        columns={["channel", "state", "status", "attempt", "code"]}
        id="delivery_id"
      />
      <Table title={say("identities")} rows={identities} columns={["kind", "value", "verified"]} id="value" />
    </>
  );
}

function SessionCard({ session }: { readonly session: Row }) {
  const { session_id, status, merged_into, expires_at, message_count, channels } = session;
  return (
    <section class="s-session" data-status={status} aria-label={shortOf(session_id)}>
      <header>
        <code>{shortOf(session_id)}</code>
        <span class="s-chip">{String(status)}</span>
        {message_count !== undefined && (
          <span class="s-part">
            <Icon of={Mail} />
            {String(message_count)}
          </span>
        )}
      </header>
      {merged_into != null && (
        <p class="s-part">
          <Icon of={Merge} />
          {say("mergedInto", { id: shortOf(merged_into) })}
        </p>
      )}
      <ol aria-label={say("channels")}>
        {(channels as string[]).map((channel) => (
          <li class="s-chip" key={channel} data-device={channel}>
            {channel}
          </li>
        ))}
      </ol>
      {status === "active" && (
        <p>
          {say("expires")} {awayOf(Date.parse(String(expires_at)) - hubNow.value)}
        </p>
      )}
      <details>
        <summary>{say("document")}</summary>
        <pre tabIndex={0}>{JSON.stringify(session, null, 2)}</pre>
      </details>
    </section>
  );
}

interface TableProps {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly columns: readonly string[];
  readonly id: string;
}

function Table({ title, rows, columns, id }: TableProps) {
  if (rows.length === 0) return null;
  return (
    <table class="s-table">
      <caption>{title}</caption>
      <thead>
        <tr>
          {columns.map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={String(row[id])} data-state={row.state}>
            {columns.map((name) => (
              <td key={name}>
                <bdi>{row[name] == null ? "" : String(row[name])}</bdi>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The end of an id: the part that differs. */
function shortOf(id: unknown): string {
  return `…${String(id).slice(-6)}`;
}

function awayOf(ms: number): string {
  const format = new Intl.RelativeTimeFormat(words.language, { numeric: "always" });
  const hours = ms / 3_600_000;
  if (Math.abs(hours) >= 48) return format.format(Math.round(hours / 24), "day");
  if (Math.abs(hours) >= 2) return format.format(Math.round(hours), "hour");
  return format.format(Math.round(ms / 60_000), "minute");
}
