import type { InboundEvent } from "../../core/receive/conversations.ts";

/** What a message is about that the shop sends first. */
export const PURPOSES = ["service", "marketing"] as const;
export type Purpose = (typeof PURPOSES)[number];

/** What a customer does not want to get. */
export interface OptOut {
  /** Absent: on every channel. */
  readonly channel?: string;
  /** Absent: of every purpose. */
  readonly purpose?: Purpose;
  /** Who said so: the customer by a word, or the shop by the API. */
  readonly source: "customer" | "api";
  readonly created_at: Date;
}

/** The words that end messages which the shop sends first, and those that allow them again, in the catalogue's languages. */
const OUT = [
  ["stop", "unsubscribe", "stopall", "opt out", "optout"],
  ["stopp", "abmelden", "abbestellen"],
  ["rok", "रोकें", "बंद", "बंद करो", "बंद करें"],
  ["baja", "alto", "parar", "darse de baja"],
  ["إيقاف", "توقف", "الغاء الاشتراك", "إلغاء الاشتراك"],
  ["pare", "cancelar inscrição", "sair"],
  ["arrêt", "arret", "désabonner", "desabonner", "se désabonner"],
  ["berhenti", "stop berlangganan"],
].flat();
const IN = [
  ["start", "unstop", "subscribe", "opt in", "optin"],
  ["anmelden", "abonnieren"],
  ["शुरू", "शुरू करें"],
  ["alta", "iniciar", "suscribir"],
  ["ابدأ", "اشتراك"],
  ["começar", "inscrever"],
  ["commencer", "s'abonner", "reprendre"],
  ["mulai", "berlangganan"],
].flat();

const WORDS = new Map([
  ...OUT.map((word) => [plain(word), "out"] as const),
  ...IN.map((word) => [plain(word), "in"] as const),
]);

/** The text without case, punctuation around it and double spaces. */
function plain(text: string): string {
  return text
    .normalize("NFC")
    .toLowerCase()
    .replaceAll(/^[\s\p{P}]+|[\s\p{P}]+$/gu, "")
    .replaceAll(/\s+/g, " ");
}

/** What a text says of messages that the shop sends first, if it is nothing but such a word. */
export function optWordIn(text: string): "out" | "in" | undefined {
  return text.length > 40 ? undefined : WORDS.get(plain(text));
}

/**
 * A customer's message at a messenger, marked if it is STOP or START in one of the languages. The hub answers STOP itself, so that it
 * wakes no bot. START wakes it as ever: without an opt-out it is a word as any other.
 */
export function withOptWord(event: InboundEvent, isMessenger: boolean): InboundEvent {
  if (!isMessenger || event.type !== "message" || event.message.content.kind !== "text") return event;
  const opt = optWordIn(event.message.content.text);
  if (opt === undefined) return event;
  return { ...event, message: { ...event.message, opt, ...(opt === "out" && { wakes: false }) } };
}
