import { z } from "@hono/zod-openapi";
import { viewWindow, windowSchema } from "../../http/sessions/find.ts";
import {
  instant,
  messageSchema,
  savedShape,
  sessionSchema,
  viewMessage,
  viewSession,
} from "../../http/shapes.ts";
import type { Handoff, Note } from "../conversations/conversation.ts";
import { handoffSchema, noteSchema, viewHandoff, viewNote } from "../conversations/shape.ts";
import { customerSchema, viewCustomer } from "../customers/shape.ts";
import { dispatchSchema, viewDispatch } from "../dispatches/view.ts";
import { mediaLinks } from "../media/links.ts";
import { optOutSchema, viewOptOut } from "../opt-outs/view.ts";
import type { Order } from "../orders/order.ts";
import { orderSchema, viewOrder } from "../orders/shape.ts";
import type { Reservation } from "../reservations/reservation.ts";
import { reservationSchema, viewReservation } from "../reservations/shape.ts";
import type { KeptThread } from "../threads/threads.ts";
import { keptThreadSchema, viewKept } from "../threads/view.ts";
import type { ExportedMessage, ExportedSession, ExportPage } from "./privacy.ts";

const addressSchema = z.object({
  channel: z.string(),
  account: z.string().nullable(),
  address: z.record(z.string(), z.string()),
  used_at: instant,
});

/** All stored data of a person. */
export const exportSchema = z
  .object({
    customer: customerSchema.optional().openapi({ description: "Absent where nothing is known of them." }),
    opt_outs: z
      .array(optOutSchema)
      .optional()
      .openapi({ description: "What they do not want to be sent first." }),
    sent_first: z
      .array(dispatchSchema.extend({ texts: z.record(z.string(), z.string()).optional() }))
      .optional()
      .openapi({
        description: "Messages that the shop sends first; `texts` is what still waits, by channel.",
      }),
    model_usage: z
      .array(z.object({ day: z.iso.date(), turns: z.int(), input_tokens: z.int(), output_tokens: z.int() }))
      .optional()
      .openapi({ description: "What the language model has used for them, by day (UTC)." }),
    sessions: z.array(
      z.object({
        ...sessionSchema.shape,
        addresses: z.array(addressSchema).openapi({ description: "Where the hub can write to them." }),
        devices: z.array(
          z.object({ device_id: z.uuid(), channel: z.string(), created_at: instant, last_used_at: instant }),
        ),
        windows: z
          .array(windowSchema)
          .openapi({ description: "Until when messengers take free replies to them." }),
        unreachable: z.array(z.string()).openapi({ description: "Channels on which they blocked the shop." }),
        has_password: z.boolean(),
      }),
    ),
    messages: z.array(
      z.object({
        ...messageSchema.shape,
        revisions: z
          .array(z.object({ text: z.string(), content: savedShape, at: instant }))
          .openapi({ description: "Its content before each edit or deletion." }),
      }),
    ),
    threads: z.array(keptThreadSchema).openapi({
      description:
        "The threads that bots and tools keep under this `customer_id`; `data` is `null` for expired ones.",
    }),
    reservations: z.array(reservationSchema),
    orders: z.array(orderSchema),
    notes: z.array(noteSchema).openapi({ description: "What staff have written about them at the desk." }),
    handoffs: z.array(handoffSchema),
  })
  .openapi("Export");

/** An export is kept: its links ask for credentials, and do not end. */
const UNSIGNED = { links: mediaLinks([], undefined), now: new Date(0) };

type Export = z.infer<typeof exportSchema>;

/** What an export has besides sessions and messages, page by page. */
export interface ExportedLists {
  readonly threads: (names: readonly string[]) => AsyncIterable<readonly KeptThread[]>;
  readonly reservations: () => AsyncIterable<readonly Reservation[]>;
  readonly orders: () => AsyncIterable<readonly Order[]>;
  readonly desk: () => Promise<{ readonly notes: readonly Note[]; readonly handoffs: readonly Handoff[] }>;
}

/**
 * The pages of an export as one JSON document, `{"customer":…,"sessions":[…],"messages":[…],"threads":[…],"reservations":[…],
 * "orders":[…],"notes":[…],"handoffs":[…]}`. Yields one piece of text per page.
 */
export async function* exportDocument(
  first: ExportPage,
  read: (after: string) => Promise<ExportPage>,
  lists: ExportedLists,
): AsyncGenerator<string> {
  const { customer, opt_outs = [], dispatches = [], model_usage } = first;
  const head = {
    ...(customer && { customer: viewCustomer(customer) }),
    ...(model_usage && { model_usage }),
    ...(opt_outs.length > 0 && { opt_outs: opt_outs.map(viewOptOut) }),
    ...(dispatches.length > 0 && {
      sent_first: dispatches.map(({ texts, ...one }) => ({ ...viewDispatch(one), ...(texts && { texts }) })),
    }),
  };
  let text = `${JSON.stringify({ ...head, sessions: [] }).slice(0, -2)}`;
  let comma = "";
  let inMessages = false;
  const names = new Set<string>();
  if (first.customer?.customer_id) names.add(first.customer.customer_id);
  const add = (value: unknown) => {
    text += comma + JSON.stringify(value);
    comma = ",";
  };
  for (let page = first; ; page = await read(page.after)) {
    for (const session of page.sessions) {
      if (session.customer_id !== undefined) names.add(session.customer_id);
      add(viewExportedSession(session));
    }
    if (!inMessages && (page.messages.length > 0 || page.after === undefined)) {
      inMessages = true;
      text += '],"messages":[';
      comma = "";
    }
    for (const message of page.messages) add(viewExportedMessage(message));
    if (page.after === undefined) break;
    yield text;
    text = "";
  }
  yield text;
  yield* list("threads", lists.threads([...names]), viewKept);
  yield* list("reservations", lists.reservations(), viewReservation);
  yield* list("orders", lists.orders(), viewOrder);
  const { notes, handoffs } = await lists.desk();
  yield* list("notes", once(notes), viewNote);
  yield* list("handoffs", once(handoffs), viewHandoff);
  yield "]}";
}

async function* once<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  yield items;
}

/** The end of the list before, and a list with its beginning; its end is the caller's part. */
async function* list<T>(
  name: string,
  pages: AsyncIterable<readonly T[]>,
  view: (item: T) => unknown,
): AsyncGenerator<string> {
  yield `],"${name}":[`;
  let comma = "";
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield comma + page.map((item) => JSON.stringify(view(item))).join(",");
    comma = ",";
  }
}

function viewExportedSession(session: ExportedSession): Export["sessions"][number] {
  return {
    ...viewSession(session),
    addresses: session.addresses.map(({ channel, account, address, used_at }) => ({
      channel,
      account: account ?? null,
      address,
      used_at: used_at.toISOString(),
    })),
    devices: session.devices.map(({ device_id, channel, created_at, last_used_at }) => ({
      device_id,
      channel,
      created_at: created_at.toISOString(),
      last_used_at: last_used_at.toISOString(),
    })),
    windows: session.windows.map(viewWindow),
    unreachable: [...session.unreachable],
    has_password: session.has_password,
  };
}

function viewExportedMessage(message: ExportedMessage): Export["messages"][number] {
  const revisions = message.revisions.map(({ text, content, at }) => ({
    text,
    content,
    at: at.toISOString(),
  }));
  return { ...viewMessage(message, UNSIGNED), revisions };
}
