import { createHub, type HubClient } from "../../../clients/js/src/index.ts";
import type { ActOf } from "../act.ts";
import type { Bubble, DeviceName, Person } from "../model.ts";
import { Refused } from "../refused.ts";
import { showEvent } from "../screens/page.ts";
import { put, type Screens } from "../screens/screens.ts";
import type { WireLog } from "../wire.ts";
import { tapped } from "./tapped.ts";

/** The kiosk's or the web page's side of a person: a client of the hub. */
export interface PageDevice {
  /** The session that it holds. */
  readonly session_id: string | undefined;
  act(
    act: ActOf<"write" | "media" | "contact" | "location" | "react" | "tap" | "open" | "leave">,
    bubble: Bubble | undefined,
  ): Promise<void>;
  close(): void;
}

export interface PageParts {
  readonly device: Extract<DeviceName, "kiosk" | "web">;
  readonly person: Person;
  readonly hub: string;
  readonly key: string;
  readonly screens: Screens;
  readonly wire: WireLog;
}

/** A device over the client library, as a page of the shop would be. Its calls are on the wire log. */
export function pageDevice({ device, person, hub: url, key, screens, wire }: PageParts): PageDevice {
  let hub = connect();
  let session_id: string | undefined;

  function connect(): HubClient {
    return createHub({ url, key, channel: device, fetch: watched(device, wire), pauses: [200, 2_000] });
  }

  async function open({ as, data }: ActOf<"open">): Promise<void> {
    hub.close();
    hub = connect();
    const who =
      device === "kiosk" ? { phone: person.phone } : { phone: person.phone, customer_id: person.customer_id };
    const session = await hub.session.start({ ...(as === "customer" && who), ...(data && { data }) });
    session_id = session.session_id;
    screens.change(device, person.id, (screen) => {
      screen.bubbles = [];
      screen.open = true;
      delete screen.ended;
    });
    hub.subscribe((event) => showEvent(screens, device, person.id, event));
  }

  /** Shows the message at once, and sends it. */
  async function send(
    bubble: Omit<Bubble, "id" | "by" | "at">,
    message: Parameters<HubClient["send"]>[0],
    replyTo?: string,
  ) {
    if (!hub.session.current) throw new Refused(`open the ${device} first`);
    const id = crypto.randomUUID();
    screens.change(device, person.id, (screen) =>
      put(screen, { id, by: "customer", at: Date.now(), tick: "sent", ...bubble }),
    );
    const sent = hub.send(message, { externalId: id, ...(replyTo && { replyTo }) });
    // While the hub cannot be reached the client tries on, as a page does, and the act is done all the same.
    await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 3_000).unref())]);
    sent.catch(() =>
      screens.change(device, person.id, (screen) =>
        put(screen, { id, by: "customer", at: 0, ...bubble, tick: "failed" }),
      ),
    );
  }

  return {
    get session_id() {
      session_id = hub.session.current?.session_id ?? session_id;
      return session_id;
    },
    close: () => hub.close(),
    async act(act, bubble) {
      switch (act.do) {
        case "open":
          return open(act);
        case "leave":
          await (device === "kiosk" ? hub.session.end() : hub.session.signOut());
          screens.change(device, person.id, (screen) => {
            screen.bubbles = [];
            screen.open = false;
          });
          return;
        case "write":
          return send({ kind: "text", text: act.text }, act.text, bubble?.id);
        case "location": {
          const location = { latitude: -23.5614, longitude: -46.6559 };
          return send({ kind: "location", location }, { kind: "location", ...location });
        }
        case "contact": {
          const contacts = act.own
            ? [{ name: person.name, phones: [person.phone] }]
            : [{ name: "Somebody else", phones: ["+4930123456"] }];
          return send({ kind: "contact", contacts }, { kind: "contact", contacts, own: false });
        }
        case "tap": {
          const { choice, on } = tapped(bubble, act.title);
          const content = {
            kind: "interaction" as const,
            interaction: on.list ? ("list" as const) : ("button" as const),
            ...(choice.tap !== undefined && { id: choice.tap }),
            title: choice.title,
          };
          return send({ kind: "text", text: choice.title }, content);
        }
        case "media": {
          const kind = act.kind === "voice" ? "audio" : act.kind;
          const media = { id: `sim-${crypto.randomUUID()}` };
          const content = {
            kind,
            media,
            ...(act.kind === "voice" && { voice: true }),
            ...(act.caption && { caption: act.caption }),
          };
          return send(
            { kind: act.kind, media: {}, ...(act.caption && { text: act.caption }) },
            content as Parameters<HubClient["send"]>[0],
          );
        }
        case "react": {
          if (!hub.session.current) throw new Refused(`open the ${device} first`);
          await hub.send({ kind: "reaction", emoji: act.emoji }, { replyTo: bubble!.id });
        }
      }
    },
  };
}

/** `fetch` whose calls are on the wire log. */
function watched(device: DeviceName, wire: WireLog): typeof fetch {
  return async (input, init) => {
    const { pathname, search } = new URL(String(input));
    const began = performance.now();
    const { n } = wire.add({
      device,
      kind: "page",
      method: init?.method ?? "GET",
      path: pathname + search,
      headers: withoutSecrets(init?.headers as Record<string, string> | undefined),
      body: typeof init?.body === "string" ? init.body : "",
    });
    try {
      const response = await fetch(input, init);
      const answer = await response.clone().text();
      const request_id = response.headers.get("x-request-id");
      wire.finish(n, {
        status: response.status,
        answer,
        ms: Math.round(performance.now() - began),
        ...(request_id && { request_id }),
      });
      return response;
    } catch (error) {
      wire.finish(n, {
        status: 0,
        answer: (error as Error).message,
        ms: Math.round(performance.now() - began),
      });
      throw error;
    }
  };
}

function withoutSecrets(headers: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      /authorization|key/.test(name) ? `${value.slice(0, 12)}…` : value,
    ]),
  );
}
