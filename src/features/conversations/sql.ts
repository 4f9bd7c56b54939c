import {
  type Row,
  toAddress,
  toCustomer,
  toDeadLetter,
  toDelivery,
  toMessage,
  toRecord,
  toTurn,
} from "../../stores/rows.ts";
import { toReply } from "../../stores/sql/conversations.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { User } from "../staff/user.ts";
import type { CannedReply, Conversation, Handoff, Note, Presence, ReplyTarget } from "./conversation.ts";
import type { Beside, Conversations, DeskChanges, HandoffFigures, Named } from "./conversations.ts";

/** `Conversations` over functions of the database. `people` has the arguments of calls that may open sessions. */
export function sqlConversations(ask: SqlCall, people: Row): Conversations {
  return {
    async list(at, query) {
      const row = await ask("hub_conversations", { ...at, ...query });
      return {
        conversations: (row.conversations as Row[]).map(toConversation),
        counts: row.counts as never,
        user: toRecord<User>(row.user),
        ...(row.after != null && { after: row.after as string }),
      };
    },
    async get(at, id) {
      return toBeside(await ask("hub_conversation", { ...at, id }));
    },
    async ofSessions(at, session_ids) {
      const { customers } = await ask("hub_conversations_of", { ...at, session_ids });
      return Object.fromEntries(
        Object.entries(customers as Record<string, Row>).map(([id, row]) => [id, toRecord<Named>(row)]),
      );
    },
    async messages(at, id, page) {
      const row = await ask("hub_conversation_messages", { ...at, id, ...page });
      return {
        messages: (row.messages as Row[]).map(toMessage),
        more: row.more as boolean,
        epoch: row.epoch as string,
        customer_key: row.customer_key as string,
      };
    },
    async hold(at, id, holding) {
      const row = await ask("hub_hold", { ...people, ...at, id, ...holding });
      return {
        conversation: toConversation(row.conversation as Row),
        ...(row.session_id != null && { session_id: row.session_id as string }),
        ...(row.turn != null && { turn: toTurn(row.turn as Row) }),
      };
    },
    async target(at, id, channel) {
      return toRecord<ReplyTarget>(await ask("hub_reply_target", { ...at, id, channel }));
    },
    async reply(at, id, { replies, ...rest }) {
      const row = await ask("hub_operator_reply", {
        ...people,
        ...at,
        id,
        ...rest,
        replies: replies.map(toReply),
      });
      return {
        conversation: toConversation(row.conversation as Row),
        ...(row.session_id != null && { session_id: row.session_id as string }),
        messages: (row.messages as Row[]).map(toMessage),
        deliveries: (row.deliveries as Row[]).map(toDelivery),
        replayed: row.replayed as boolean,
      };
    },
    async addNote(at, id, note) {
      return toNote((await ask("hub_add_note", { ...at, id, ...note })).note as Row);
    },
    async deleteNote(at, id, note_id) {
      await ask("hub_delete_note", { ...at, id, note_id });
    },
    async present(at, id, typing) {
      return (await ask("hub_presence", { ...at, id, typing })).presence as Presence[];
    },
    async changes(at, after) {
      return toRecord<DeskChanges>(await ask("hub_desk_changes", { ...at, after }));
    },
    async cannedReplies(at) {
      const { canned_replies } = await ask("hub_canned_replies", { ...at });
      return (canned_replies as Row[]).map(toRecord<CannedReply>);
    },
    async saveCannedReply(at, reply, if_version) {
      const row = await ask("hub_save_canned_reply", { ...at, ...reply, if_version });
      return toRecord<CannedReply>(row.canned_reply);
    },
    async deleteCannedReply(at, shortcut) {
      await ask("hub_save_canned_reply", { ...at, shortcut, delete: true });
    },
    async deadLetters(at, id) {
      const { dead_letters } = await ask("hub_conversation_dead_letters", { ...at, id });
      return (dead_letters as Row[]).map(toDeadLetter);
    },
    async figures(by, from, to, now) {
      return (await ask("hub_handoff_figures", { ...by, from, to, now })) as unknown as HandoffFigures;
    },
    async exported(of) {
      const { notes, handoffs } = await ask("hub_export_conversation", { ...of });
      return { notes: (notes as Row[]).map(toNote), handoffs: (handoffs as Row[]).map(toHandoff) };
    },
    async markOverdue(before, limit, now) {
      return (await ask("hub_mark_overdue", { now, before, limit })).marked as number;
    },
    async state() {
      return toRecord(await ask("hub_conversations_state", {}));
    },
  };
}

function toConversation({ user, handoff, last, ...row }: Row): Conversation {
  return {
    ...toRecord<Conversation>(row),
    ...(user != null && { user: user as Conversation["user"] }),
    ...(handoff != null && { handoff: toHandoff(handoff as Row) }),
    ...(last != null && { last: toRecord<NonNullable<Conversation["last"]>>(last) }),
  } as Conversation;
}

function toHandoff(row: Row): Handoff {
  return toRecord<Handoff>(row);
}

function toNote(row: Row): Note {
  return toRecord<Note>(row);
}

function toBeside(row: Row): Beside {
  const list = (name: string) => row[name] as Row[];
  return {
    conversation: toConversation(row.conversation as Row),
    customer: toCustomer(row.customer as Row),
    identities: list("identities").map(toRecord<Beside["identities"][number]>),
    addresses: list("addresses").map(toAddress),
    windows: list("windows").map(toRecord<Beside["windows"][number]>),
    unreachable: row.unreachable as string[],
    sessions: list("sessions").map(toRecord<Row>),
    orders: list("orders").map(toRecord<Row>),
    reservations: list("reservations").map(toRecord<Row>),
    notes: list("notes").map(toNote),
    handoffs: list("handoffs").map(toHandoff),
    presence: row.presence as Presence[],
  };
}
