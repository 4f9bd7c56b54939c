import { createHub, type HubClient, type Session } from "../../../clients/js/src/index.ts";
import type { ActOf } from "../act.ts";
import type { SentFiles } from "../files.ts";
import type { Bubble, DeviceName, Person } from "../model.ts";
import { Refused } from "../refused.ts";
import { showEvent } from "../screens/page.ts";
import { put, type Screens } from "../screens/screens.ts";
import type { WireLog } from "../wire.ts";
import { tapped } from "./tapped.ts";
import { watched } from "./watched.ts";

/** The session of a device, and its token. */
export interface Held {
  readonly token: string;
  readonly session: Session;
}

/** The kiosk's or the web page's side of a person: a client of the hub. */
export interface PageDevice {
  /** The session that it holds. */
  readonly session_id: string | undefined;
  readonly held: Held | undefined;
  readonly openedAs: "customer" | "guest";
  act(
    act: ActOf<"write" | "media" | "contact" | "location" | "react" | "tap" | "open" | "leave">,
    bubble: Bubble | undefined,
  ): Promise<void>;
  /** The next session that the device's frame starts is the one that the device has. */
  offer(): void;
  /** The session that was offered, once. */
  handOver(): Held | undefined;
  /** Goes on with the session of this token, which the frame has now. */
  follow(token: string, session?: Session): Promise<void>;
  /** The frame has signed out. */
  left(): void;
  close(): void;
}

export interface PageParts {
  readonly device: Extract<DeviceName, "kiosk" | "web">;
  readonly person: Person;
  readonly hub: string;
  readonly key: string;
  readonly screens: Screens;
  readonly wire: WireLog;
  readonly files: SentFiles;
}

/**
 * A device over the client library. Its frame, if a page shows one, has the same token: both see all that the other does. Its
 * calls are on the wire log, except those that only read.
 */
export function pageDevice({ device, person, hub: url, key, screens, wire, files }: PageParts): PageDevice {
  let hub = connect();
  let held: Held | undefined;
  let offered: Held | undefined;
  let openedAs: "customer" | "guest" = "guest";
  let session_id: string | undefined;

  /** A client; with a session that is already open it starts with that one, and asks nobody. */
  function connect(given?: Held): HubClient {
    const onWire = watched(device, wire);
    return createHub({
      ...{ url, key, channel: device, pauses: [200, 2_000] },
      fetch: async (input, init) => {
        const isStart = new URL(String(input)).pathname === "/session/start";
        if (isStart && given) return Response.json({ session_token: given.token, session: given.session });
        const answer = await (init?.method === "POST" ? onWire : fetch)(input, init);
        if (isStart && answer.ok) {
          const { session_token, session } = (await answer.clone().json()) as Opened;
          held = { token: session_token, session };
        }
        return answer;
      },
    });
  }

  function show(): void {
    screens.change(device, person.id, (screen) => {
      screen.bubbles = [];
      screen.open = true;
      delete screen.ended;
    });
    const own = hub;
    hub.subscribe((event) => {
      if (own !== hub) return;
      if (event.type === "ended") held = undefined;
      showEvent(screens, device, person.id, event);
    });
  }

  async function open({ as, data }: ActOf<"open">): Promise<void> {
    hub.close();
    hub = connect();
    const who =
      device === "kiosk" ? { phone: person.phone } : { phone: person.phone, customer_id: person.customer_id };
    const session = await hub.session.start({ ...(as === "customer" && who), ...(data && { data }) });
    session_id = session.session_id;
    openedAs = as;
    show();
    // The frame is loaded anew, and has this session then.
    screens.change(device, person.id, (screen) => {
      screen.opens = (screen.opens ?? 0) + 1;
    });
  }

  async function follow(token: string, given?: Session): Promise<void> {
    if (token === held?.token) return;
    const session = given ?? (await sessionOf(url, token, device));
    if (!session) return;
    hub.close();
    held = { token, session };
    hub = connect(held);
    await hub.session.start();
    session_id = session.session_id;
    show();
  }

  function closed(): void {
    held = undefined;
    offered = undefined;
    screens.change(device, person.id, (screen) => {
      screen.bubbles = [];
      screen.open = false;
    });
  }

  /** Shows the message at once, and sends it. */
  async function send(
    bubble: Omit<Bubble, "id" | "by" | "at">,
    message: Parameters<HubClient["send"]>[0],
    replyTo?: string,
  ) {
    if (!hub.session.current) throw new Refused(`open the ${device} first`, "notOpen");
    const id = crypto.randomUUID();
    screens.change(device, person.id, (screen) =>
      put(screen, { id, by: "customer", at: screens.now(), tick: "sent", ...bubble }),
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
    get held() {
      return held;
    },
    get openedAs() {
      return openedAs;
    },
    offer() {
      offered = held;
    },
    handOver() {
      const given = offered;
      offered = undefined;
      return given;
    },
    follow,
    left() {
      hub.close();
      hub = connect();
      closed();
    },
    close: () => hub.close(),
    async act(act, bubble) {
      switch (act.do) {
        case "open":
          return open(act);
        case "leave":
          await hub.session.signOut();
          return closed();
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
          if (!hub.session.current) throw new Refused(`open the ${device} first`, "notOpen");
          const { bytes, type, name } = files.find(act);
          const { upload } = await hub.upload(new Blob([bytes], { type }), { name });
          const kind = act.kind === "voice" ? "audio" : act.kind;
          const content = {
            ...{ kind, media: { upload } },
            ...(act.kind === "voice" && { voice: true }),
            ...(act.caption && { caption: act.caption }),
          };
          return send(
            { kind: act.kind, media: { name, type }, ...(act.caption && { text: act.caption }) },
            content as Parameters<HubClient["send"]>[0],
          );
        }
        case "react": {
          if (!hub.session.current) throw new Refused(`open the ${device} first`, "notOpen");
          await hub.send({ kind: "reaction", emoji: act.emoji }, { replyTo: bubble!.id });
        }
      }
    },
  };
}

interface Opened {
  readonly session_token: string;
  readonly session: Session;
}

/** The session of a token; undefined if the token is dead. */
async function sessionOf(url: string, token: string, channel: string): Promise<Session | undefined> {
  const answer = await fetch(`${url}/session/restore`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ channel }),
  });
  return answer.ok ? ((await answer.json()) as Opened).session : undefined;
}
