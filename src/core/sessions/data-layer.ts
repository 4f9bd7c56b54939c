import type { Session } from "./session.ts";

/** A session in the words of the frontends' data layer. Instants are ISO 8601 in UTC. */
export interface DataLayer {
  readonly id: string;
  readonly createdAt: string;
  readonly lastActivity: string;
  /** `email` and `phone` may be only claimed. Null where nothing is known. */
  readonly metadata: {
    readonly language: string | null;
    readonly clientId: string | null;
    readonly conversationId: string;
    readonly email: string | null;
    readonly phone: string | null;
    readonly preferredLanguage: string | null;
    readonly plan: "basic" | "premium";
  };
}

/**
 * The session as the frontends' data layer expects it. What a frontend wrote into the session's `metadata` fills
 * `clientId` (else the browser's `visitor_id`), `conversationId` (else the session's id), and an `email` or `phone` that
 * is not verified. It never says the plan or the language.
 */
export function dataLayerOf(session: Session): DataLayer {
  const { metadata } = session;
  const given = (name: string) => {
    const value = metadata[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  return {
    id: session.session_id,
    createdAt: session.created_at.toISOString(),
    lastActivity: session.last_activity.toISOString(),
    metadata: {
      language: session.language ?? null,
      clientId: given("clientId") ?? session.visitor_id ?? null,
      conversationId: given("conversationId") ?? session.session_id,
      email: session.email ?? given("email") ?? null,
      phone: session.phone ?? given("phone") ?? null,
      preferredLanguage: session.preferred_language ?? null,
      plan: session.plan ?? "basic",
    },
  };
}
