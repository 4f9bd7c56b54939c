import type { Identities } from "../core/identity/identity.ts";
import { mergePatch } from "../core/json.ts";
import { textOf } from "../core/messages/content.ts";
import type { InboundMessage, Message } from "../core/messages/message.ts";
import { refuseGrowth, type Session } from "../core/sessions/session.ts";
import type { SessionChanges, StartSession } from "../core/sessions/sessions.ts";
import type { Standby } from "./journal.ts";

/** The session unless it may be over: one that expired here may live on in the store, so nobody can tell. */
export function alive(session: Session | undefined, now: Date): Session | undefined {
  return session?.status === "active" && session.expires_at > now ? session : undefined;
}

/** A session as it opens while the store is down. */
export function provisional(
  { identities, channel }: { readonly identities: Identities; readonly channel: string },
  { sessionTtlMs, language }: Standby,
  now: Date,
): Session {
  return {
    session_id: crypto.randomUUID(),
    ...identities,
    channel,
    channels: [channel],
    status: "active",
    ...(language !== undefined && { language }),
    data: {},
    metadata: {},
    version: 1,
    message_count: 0,
    created_at: now,
    updated_at: now,
    last_activity: now,
    expires_at: new Date(now.getTime() + sessionTtlMs),
  };
}

/** The session as used on a channel now. */
export function touched(
  session: Session,
  channel: string | undefined,
  { sessionTtlMs }: Standby,
  now: Date,
): Session {
  const isNew = channel !== undefined && !session.channels.includes(channel);
  return {
    ...session,
    channels: isNew ? [...session.channels, channel] : session.channels,
    last_activity: now,
    updated_at: now,
    expires_at: new Date(now.getTime() + sessionTtlMs),
  };
}

/** The session with what a start brings to one that was there. Throws `payload_too_large`, as the store would. */
export function joined(session: Session, { customer_id, data }: StartSession): Session {
  if (customer_id === undefined && data === undefined) return session;
  const after = {
    ...session,
    ...(customer_id !== undefined && { customer_id }),
    ...(data && { data: mergePatch(session.data, data) }),
    version: session.version + 1,
  };
  refuseGrowth(session, after);
  return after;
}

/** The session with changes applied as the store will apply them. Throws `payload_too_large`, as it would. */
export function changed(session: Session, { data, metadata, language, message }: SessionChanges): Session {
  const after = {
    ...session,
    ...(data && { data: mergePatch(session.data, data) }),
    ...(metadata && { metadata: mergePatch(session.metadata, metadata) }),
    ...(language !== undefined && { language }),
    version: session.version + (data || metadata || language !== undefined ? 1 : 0),
    message_count: session.message_count + (message ? 1 : 0),
  };
  refuseGrowth(session, after);
  return after;
}

/** A caller's message as it will be kept, but for its place in the order, which only the store knows. */
export function expected(inbound: InboundMessage, message_id: string, session: Session, now: Date): Message {
  const { channel, external_id, content, reply_to, sent_at } = inbound;
  return {
    message_id,
    session_id: session.session_id,
    seq: 0,
    channel,
    external_id,
    direction: "inbound",
    role: "user",
    kind: content.kind,
    text: textOf(content),
    content,
    ...(reply_to !== undefined && { reply_to }),
    ...(sent_at && { sent_at }),
    created_at: now,
  };
}
