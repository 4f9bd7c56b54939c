import postgres from "postgres";
import type { Chaos } from "./chaos.ts";
import type { Said } from "./customers.ts";
import type { Rig } from "./rig.ts";

export interface Verdict {
  readonly counts: Readonly<Record<string, number>>;
  /** What should not have happened, in words; empty when all is well. */
  readonly wrong: readonly string[];
}

interface Row {
  text: string;
  seq: string;
  answers: string;
  failed: string;
  unsettled: string;
}

interface Sent {
  readonly text?: string;
  readonly at: number;
  readonly cut?: boolean;
}

const SHOWN = 5;

/** Compares what customers remember with what the database and the platforms hold. */
export async function judge(
  rig: Rig,
  said: readonly Said[],
  chaos: Chaos,
  customers: number,
): Promise<Verdict> {
  const sql = postgres(rig.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const rows = await sql<Row[]>`
      select m.text, m.seq::text,
        (select count(*) from messages a where a.role = 'assistant' and a.reply_to = m.message_id::text)::text as answers,
        (select count(*) from messages a where a.role = 'assistant' and a.reply_to = m.message_id::text and a.status = 'failed')::text as failed,
        (select count(*) from messages a where a.role = 'assistant' and a.reply_to = m.message_id::text and a.status = 'pending')::text as unsettled
      from messages m where m.direction = 'inbound' and m.text like 'm-%'`;
    const [sessions] = await sql<[{ active: number; people: number; reasonless: number }]>`
      select count(*)::int as active, count(distinct i.value)::int as people,
        (select count(*)::int from deliveries where state = 'dead' and reason is null) as reasonless
      from sessions s left join identities i on i.customer_key = s.customer_key and i.kind = 'phone'
      where s.status = 'active'`;
    const byText = Map.groupBy(rows, (row) => row.text);
    const wrong: string[] = [];
    const fault = (what: string, texts: readonly string[]) => {
      if (texts.length > 0) wrong.push(`${texts.length} ${what}: ${texts.slice(0, SHOWN).join(", ")}`);
    };
    const acked = said.filter((one) => one.ackedAt !== undefined);
    const texts = acked.map((one) => one.text);
    fault(
      "acknowledged messages are not in the database",
      texts.filter((text) => !byText.has(text)),
    );
    fault(
      "messages are in the database more than once",
      [...byText].filter(([, found]) => found.length > 1).map(([text]) => text),
    );
    fault(
      "messages were never answered",
      rows.filter((row) => row.answers === "0").map((row) => row.text),
    );
    fault(
      "messages were answered more than once",
      rows.filter((row) => Number(row.answers) > 1).map((row) => row.text),
    );
    fault(
      "replies are neither sent nor dead",
      rows.filter((row) => row.unsettled !== "0").map((row) => row.text),
    );
    fault("messages overtook an earlier one of their customer", overtaken(acked, byText));
    if (sessions.active !== sessions.people)
      wrong.push(`${sessions.active} active sessions for ${sessions.people} phones`);
    if (sessions.people !== customers)
      wrong.push(`${sessions.people} customers have a session, of ${customers}`);
    if (sessions.reasonless > 0) wrong.push(`${sessions.reasonless} dead deliveries give no reason`);

    const doubles = await secondSends(rig, chaos);
    fault("replies were sent twice though the first answer was recorded", doubles.unexplained);
    return {
      wrong,
      counts: {
        said: said.length,
        acknowledged: acked.length,
        "acknowledged to frontends with 202, from the journal": said.filter((one) => one.unpersisted).length,
        stored: rows.length,
        answered: rows.filter((row) => row.answers === "1").length,
        "dead replies": rows.filter((row) => row.failed !== "0").length,
        "active sessions": sessions.active,
        "sent again after the platform cut the line": doubles.cut,
        "sent again after the record of the answer was lost to a kill": doubles.killed,
      },
    };
  } finally {
    await sql.end();
  }
}

/** Those that stand before a message whose 200 their customer had seen when they wrote them. */
function overtaken(acked: readonly Said[], stored: ReadonlyMap<string, readonly Row[]>): string[] {
  const wrong: string[] = [];
  for (const theirs of Map.groupBy(acked, (one) => one.customer).values()) {
    let last = -1;
    for (const one of [...theirs].sort((a, b) => a.startedAt - b.startedAt)) {
      const seq = Number(stored.get(one.text)?.[0]?.seq ?? Number.NaN);
      if (seq < last) wrong.push(one.text);
      if (seq > last) last = seq;
    }
  }
  return wrong;
}

/** Replies that a platform took more than once, by why that may have been. */
async function secondSends(
  rig: Rig,
  { outages }: Chaos,
): Promise<{ cut: number; killed: number; unexplained: string[] }> {
  let cut = 0;
  let killed = 0;
  const unexplained: string[] = [];
  for (const platform of ["telegram", "whatsapp"] as const) {
    const { sent } = (await (await fetch(`${rig[platform]}/_sent?method=text,sendMessage`)).json()) as {
      sent: Sent[];
    };
    for (const [text, times] of Map.groupBy(sent, (one) => /"(m-[\d-]+)"/.exec(one.text ?? "")?.[1] ?? "")) {
      if (text === "" || times.length === 1) continue;
      const first = times[0]!;
      if (times.slice(0, -1).every((one) => one.cut)) cut += 1;
      else if (outages.some(([from, to]) => first.at >= from - 5_000 && first.at <= to)) killed += 1;
      else unexplained.push(`${text} on ${platform}`);
    }
  }
  return { cut, killed, unexplained };
}
