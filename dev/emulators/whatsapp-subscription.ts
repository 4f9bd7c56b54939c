import { randomInt } from "node:crypto";
import type { Fields } from "./fields.ts";
import type { WhatsApp } from "./whatsapp-state.ts";

/** The result of the last handshake with the webhook. */
export interface Handshake extends Fields {
  readonly ok: boolean;
  /** The HTTP status; 0 without an answer. */
  readonly status: number;
  readonly challenge: string;
  readonly answer: string;
}

/** Sends a challenge to the webhook, as Meta does when a subscription is saved. `verifyToken` may be a wrong one. */
export async function subscribe(whatsapp: WhatsApp, verifyToken = whatsapp.verifyToken): Promise<Handshake> {
  const { webhookUrl } = whatsapp.settings;
  if (webhookUrl) return shakeHands(whatsapp, webhookUrl, verifyToken);
  return { ok: false, status: 0, challenge: "", answer: "no webhook is set" };
}

/** Sends a challenge to an address, as Meta does before it takes the address. */
export async function shakeHands(
  whatsapp: WhatsApp,
  webhookUrl: string,
  verifyToken: string,
): Promise<Handshake> {
  const challenge = String(randomInt(1e9, 2e9));
  const url = new URL(webhookUrl);
  url.searchParams.set("hub.mode", "subscribe");
  url.searchParams.set("hub.challenge", challenge);
  url.searchParams.set("hub.verify_token", verifyToken);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(whatsapp.deliveries.settings.timeoutMs),
    });
    const answer = await response.text();
    return {
      ok: response.status === 200 && answer === challenge,
      status: response.status,
      challenge,
      answer,
    };
  } catch (error) {
    return {
      ok: false,
      status: 0,
      challenge,
      answer: error instanceof Error ? error.message : String(error),
    };
  }
}
