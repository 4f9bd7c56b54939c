import type { OpenWindow } from "../../core/deliver/window.ts";
import type { Sessions } from "../../core/sessions/sessions.ts";
import { cursorOf, type Row, toColumns, toMessage, toOpened, toRecord, toSession } from "../rows.ts";
import type { SqlCall } from "../sql.ts";

/** The frontends' calls on sessions in Postgres. */
export function sqlSessions(ask: SqlCall, people: Row): Sessions {
  const { kiosk_idle_ms } = people;
  const { language: _, ...changing } = people;
  return {
    async start(start, now) {
      return toOpened(await ask("hub_start", { now, ...people, ...start }));
    },
    async restore(who, channel, now) {
      return toOpened(await ask("hub_restore", { now, ...people, ...who, channel }));
    },
    async find(who, now) {
      return ((await ask("hub_find", { now, ...who })).sessions as Row[]).map(toSession);
    },
    async windows(session_id, now) {
      return ((await ask("hub_windows", { now, session_id })).windows as Row[]).map(toRecord<OpenWindow>);
    },
    async update(of, { message, ...changes }, now) {
      const reported = message && {
        ...toColumns({ kind: "text", text: message.text }),
        external_id: message.external_id,
        role: message.role,
        author: message.author,
        language: message.language,
        ...(message.role === "user" ? { direction: "inbound" } : { direction: "outbound", status: "sent" }),
      };
      return toOpened(await ask("hub_update", { now, ...changing, ...of, ...changes, message: reported }));
    },
    async setLanguage(of, chosen, now) {
      const { session, message } = await ask("hub_set_language", { now, ...people, ...of, chosen });
      return {
        session: toSession(session as Row),
        ...(message != null && { message: toMessage(message as Row) }),
      };
    },
    async end(token_hash, now, closing) {
      const { session, token_hashes } = await ask("hub_end", { now, kiosk_idle_ms, token_hash, ...closing });
      return { session: toSession(session as Row), token_hashes: token_hashes as string[] };
    },
    async rate(session_id, token_hash, rating, now) {
      const rated = await ask("hub_rate", { now, kiosk_idle_ms, session_id, token_hash, ...rating });
      return {
        session_id: rated.session_id as string,
        rating: rated.rating as number,
        ...(rated.feedback != null && { feedback: rated.feedback as string }),
      };
    },
    async list(filter, after, limit) {
      const page = await ask("hub_sessions", { ...filter, after, limit });
      return {
        sessions: (page.sessions as Row[]).map(toSession),
        ...cursorOf(page),
        ...(page.counts != null && { counts: page.counts as Record<string, number> }),
      };
    },
    async signOut(token_hash) {
      return (await ask("hub_sign_out", { token_hash })).signed_out as boolean;
    },
    async messages(of, after, limit, now) {
      const row = await ask("hub_messages", { now, kiosk_idle_ms, ...of, after, limit });
      const messages = (row.messages as Row[]).map(toMessage);
      return {
        session_id: row.session_id as string,
        messages,
        cursor: messages.at(-1)?.seq ?? after,
        more: row.more as boolean,
        epoch: `${row.session_id}.${row.merges}`,
      };
    },
  };
}
