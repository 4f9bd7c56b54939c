import { toHubError } from "../../../src/core/errors.ts";
import type { Identities } from "../../../src/core/identity/identity.ts";
import { accept } from "../../../src/core/receive/accept.ts";
import type { InboundEvent, Opened } from "../../../src/core/receive/conversations.ts";
import { opened } from "../../../src/core/receive/effects.ts";
import type { Session } from "../../../src/core/sessions/session.ts";
import type { StartSession } from "../../../src/core/sessions/sessions.ts";
import { sweep } from "../../../src/core/sweep/sweep.ts";
import { isOutage } from "../../../src/outage/journal.ts";
import { ACCOUNTS, DAY, hash } from "../../contracts/given.ts";
import { webhook } from "../../support/outage.ts";
import { identityOn, PEOPLE, said } from "./customers.ts";
import type { Action, Platform } from "./steps.ts";
import { answering, type Isolate, type World } from "./world.ts";

/** A request of a client, sent again until it is acknowledged or refused for good. */
export interface ClientRequest {
  readonly name: string;
  /** The people whose sessions it changes, or the anonymous devices. */
  readonly keys: readonly string[];
  /** Sends it to an isolate once. Resolves when it is acknowledged. */
  ask(isolate: Isolate): Promise<unknown>;
  /** Whether it is sent again in later steps: platforms do, devices give up. */
  readonly stubborn: boolean;
  /** Whether it may end in the quarantine: a receipt changes no message of the comparison. */
  readonly quarantined?: boolean;
  /** The messages in it, by their external ids. */
  readonly messages: readonly string[];
  firstStep: number;
  acked?: { readonly step: number; readonly at: number; readonly order: number };
  /** An attempt was cut off: its result is unknown. */
  cut: boolean;
  /** Set when it was refused for good: there is no such session, or the phone may not be claimed. */
  refused?: {
    readonly step: number;
    readonly at: number;
    readonly order: number;
    readonly why: Refusal;
    readonly isBlind: boolean;
  };
  /** Whether it was acknowledged here but refused in the calm world: see `happenCalmly`. */
  isRefusedCalmly?: boolean;
  /** The customer and channel that it blocks or unblocks. */
  readonly reach?: { readonly key: string; readonly channel: string; readonly reachable: boolean };
  /** Whether it may end tokens: a sign-out, an end, or a start that may join two customers. */
  readonly ends?: boolean;
}

/** Why a request is refused: it may be sent again later, there is no such session, or the phone may not be claimed. */
export type Refusal = "later" | "never" | "unclaimed";

export interface Device {
  /** The person whose sessions the device opens, or the device itself. */
  key: string;
  token?: string;
}

/** A token that a request gave to a device, and the session that the answer named. */
export interface Given {
  readonly key: string;
  readonly by: ClientRequest;
  readonly token: string;
  readonly session_id: string;
}

/** All clients of a run: customers, platforms and devices, with the answers that they got. */
export interface Clients {
  readonly requests: ClientRequest[];
  readonly given: readonly Given[];
  /** The keys whose tokens may have ended by a request. */
  readonly left: ReadonlySet<string>;
  /**
   * The keys whose customers may have been joined by a start with two identities, which ended other tokens of theirs.
   */
  readonly joined: ReadonlySet<string>;
  /** The acknowledged receipts, by channel and external id of their message. */
  readonly receipts: ReadonlyMap<string, readonly string[]>;
  /** The request of an action. Undefined when it is impossible now, or when `may` forbids these people. */
  request(
    action: Action,
    step: number,
    may?: (keys: readonly string[]) => boolean,
  ): ClientRequest | undefined;
}

export const personKey = (who: number): string => `person ${who}`;

const SWEEP = { batch: 20, batches: 5, sessions: 500, retentionMs: 1_000 * DAY };

export function createClients(world: World): Clients {
  const requests: ClientRequest[] = [];
  const given: Given[] = [];
  const left = new Set<string>();
  const joined = new Set<string>();
  const receipts = new Map<string, string[]>();
  const devices: Device[] = [0, 1, 2].map((n) => ({ key: `device ${n}` }));
  let numbers = 0;
  let tokens = 0;
  const person = personKey;

  function made(
    request: Omit<ClientRequest, "firstStep" | "cut" | "messages"> & { messages?: string[] },
    step: number,
  ) {
    const whole: ClientRequest = { messages: [], ...request, firstStep: step, cut: false };
    return whole;
  }

  const posted = (channel: string, events: InboundEvent[]) => async (isolate: Isolate) => {
    const { turns } = await accept(isolate.hub, channel, webhook(...events));
    answering(isolate, turns, world.bugs);
  };

  function write(people: readonly number[], channel: Platform, count: number, step: number): ClientRequest {
    const events = people.flatMap((who) =>
      Array.from({ length: count }, () => said(channel, identityOn(channel, who), `m${++numbers}`)),
    );
    const messages = events.map(({ message }) => message.external_id);
    const name = `${channel} ${messages}`;
    return made(
      { name, keys: people.map(person), stubborn: true, messages, ask: posted(channel, events) },
      step,
    );
  }

  function begin(action: Extract<Action, { do: "start" }>, step: number): ClientRequest {
    const { who, channel, kinds, key } = action;
    const identities: Identities =
      who === undefined ? {} : Object.fromEntries(kinds.map((kind) => [kind, PEOPLE[who]![kind]]));
    const owner = who === undefined ? `nobody ${++numbers}` : person(who);
    const value = ++numbers;
    if (Object.keys(identities).length > 1) joined.add(owner);
    const start_: Omit<StartSession, "token_hash"> = {
      identities,
      channel,
      ...(key !== undefined && { data: { [`k${key}`]: value } }),
    };
    const opened = opening(action.device, owner, `start of ${owner}`, step, (isolate, token_hash) =>
      isolate.hub.store.sessions.start({ ...start_, token_hash }, isolate.hub.now()),
    );
    return Object.assign(opened, { ends: Object.keys(identities).length > 1 });
  }

  /** Gives a device a token, which it keeps once it gets the answer. */
  function opening(
    device: number,
    key: string,
    name: string,
    step: number,
    open: (isolate: Isolate, token_hash: string) => Promise<Opened>,
  ): ClientRequest {
    let token_hash: string | undefined;
    const by: ClientRequest = made(
      {
        name,
        keys: [key],
        stubborn: false,
        ask: async (isolate) => {
          if (token_hash !== undefined) return open(isolate, token_hash); // as it went, in the calm world
          const token = hash(++tokens);
          const { session_id } = await presented(isolate, token, open(isolate, token));
          token_hash = token;
          given.push({ key, by, token, session_id });
          Object.assign(devices[device]!, { key, token });
        },
      },
      step,
    );
    return by;
  }

  return {
    requests,
    given,
    left,
    joined,
    receipts,
    request(action, step, may = () => true) {
      const found = wanted(action, step);
      if (!found || requests.includes(found)) return found;
      if (!may(found.keys)) return undefined;
      requests.push(found);
      return found;
    },
  };

  function wanted(action: Action, step: number): ClientRequest | undefined {
    const device = "device" in action ? devices[action.device]! : undefined;
    const { token } = device ?? {};
    switch (action.do) {
      case "write":
        return write([action.who], action.channel, action.count, step);
      case "crowd":
        return write([0, 1, 2], action.channel, 1, step);
      case "redeliver": {
        const webhooks = requests.filter(({ stubborn }) => stubborn);
        return webhooks.at(-1 - (action.nth % Math.max(1, webhooks.length)));
      }
      case "receipt": {
        const { takes } = world;
        const next = { channel: "whatsapp", external_id: `take${takes.length}` };
        const take = action.nth === null ? next : takes.at(-1 - (action.nth % Math.max(1, takes.length)));
        if (!take) return undefined;
        const { channel, external_id } = take;
        const key = `${channel} ${external_id}`;
        const receipt = { channel, account: ACCOUNTS[channel]!, external_id, status: action.status };
        const ask = posted(channel, [{ type: "receipt", receipt }]);
        const notified = async (isolate: Isolate) => {
          await ask(isolate);
          receipts.set(key, [...(receipts.get(key) ?? []), action.status]);
        };
        return made(
          { name: `${key} ${action.status}`, keys: [], stubborn: true, quarantined: true, ask: notified },
          step,
        );
      }
      case "edit": {
        const writes = requests.filter(({ stubborn, messages }) => stubborn && messages.length > 0);
        const of = writes.at(-1 - (action.nth % Math.max(1, writes.length)));
        if (!of) return undefined;
        const [external_id] = of.messages as [string];
        const channel = of.name.split(" ")[0]!;
        // Later than every other edit, and after its message.
        const at = new Date(world.clock.now + ++numbers);
        const content = { kind: "text", text: `${external_id} is now ${numbers}` } as const;
        const edit = { channel, account: ACCOUNTS[channel]!, external_id, content, at };
        const ask = posted(channel, [{ type: "edit", edit }]);
        return made({ name: `edit ${external_id}`, keys: of.keys, stubborn: true, ask }, step);
      }
      case "start":
        return begin(action, step);
      case "restore": {
        const { who, channel } = action;
        if (who !== undefined) {
          const identities = { phone: PEOPLE[who]!.phone };
          return opening(
            action.device,
            person(who),
            `restore of ${person(who)}`,
            step,
            ({ hub }, token_hash) =>
              hub.store.sessions.restore({ token_hash, identities }, channel, hub.now()),
          );
        }
        if (token === undefined) return undefined;
        const ask = (isolate: Isolate) => {
          const { store, now } = isolate.hub;
          return presented(isolate, token, store.sessions.restore({ token_hash: token }, channel, now()));
        };
        return made({ name: `restore at ${device!.key}`, keys: [device!.key], stubborn: false, ask }, step);
      }
      case "update": {
        if (token === undefined) return undefined;
        const { key, erases, metadata, language, message } = action;
        const external_id = `u${++numbers}`;
        const value = numbers;
        const changes = {
          ...(key !== undefined && { data: { [`k${key}`]: erases ? null : value } }),
          ...(metadata !== undefined && { metadata: { [`k${metadata}`]: value } }),
          ...(language !== undefined && { language }),
          ...(message && { message: { role: message, text: external_id, external_id } }),
        };
        const ask = (isolate: Isolate) => {
          const { store, now } = isolate.hub;
          return presented(isolate, token, store.sessions.update({ token_hash: token }, changes, now()));
        };
        const messages = message ? [external_id] : [];
        return made(
          { name: `update ${external_id}`, keys: [device!.key], stubborn: false, messages, ask },
          step,
        );
      }
      case "say": {
        if (token === undefined) return undefined;
        const event = said("web", { token_hash: token }, `m${++numbers}`);
        const messages = [event.message.external_id];
        const ask = posted("web", [event]);
        return made({ name: `web ${messages}`, keys: [device!.key], stubborn: false, messages, ask }, step);
      }
      case "read": {
        if (token === undefined) return undefined;
        const ask = ({ hub }: Isolate) =>
          hub.store.sessions.messages({ token_hash: token }, 0, 100, hub.now());
        return made(
          { name: `read at ${device!.key}`, keys: [], stubborn: false, quarantined: true, ask },
          step,
        );
      }
      case "end":
      case "sign out": {
        if (token === undefined) return undefined;
        const { key } = device!;
        const ask = async ({ hub }: Isolate) => {
          left.add(key);
          if (action.do === "end") {
            const { session, token_hashes } = await hub.store.sessions.end(token, hub.now());
            hub.later!(hub.cache.drop({ token_hashes, session_ids: [session.session_id] }));
          } else {
            await hub.store.sessions.signOut(token, hub.now());
            hub.later!(hub.cache.drop({ token_hashes: [token] }));
          }
        };
        return made({ name: `${action.do} at ${key}`, keys: [key], stubborn: false, ask, ends: true }, step);
      }
      case "block": {
        const { channel, who, reachable } = action;
        const at = new Date(world.clock.now);
        const reachability = { channel, who: identityOn(channel, who), reachable, at };
        const ask = posted(channel, [{ type: "reachability", reachability }]);
        const name = `${channel} ${reachable ? "unblocks" : "blocks"} ${person(who)}`;
        const key = person(who);
        return made({ name, keys: [key], stubborn: true, ask, reach: { key, channel, reachable } }, step);
      }
      case "claim": {
        const { phone } = PEOPLE[action.who]!;
        const unclaimed = said("kiosk", { phone }, `m${++numbers}`);
        const messages = [unclaimed.message.external_id];
        const event = { ...unclaimed, message: { ...unclaimed.message, claimed: true } };
        const key = person(action.who);
        const name = `claim of ${key} ${messages}`;
        return made({ name, keys: [key], stubborn: false, messages, ask: posted("kiosk", [event]) }, step);
      }
      case "sweep":
        return made(
          {
            name: "sweep",
            keys: [],
            stubborn: false,
            quarantined: true,
            ask: ({ hub }) => sweep(hub, SWEEP),
          },
          step,
        );
      case "forget":
        world.forget();
        return undefined;
    }
  }
}

/** Applies the effects of an opened session to hub and cache after the answer, as the Worker does. */
async function presented({ hub }: Isolate, token: string, asked: Promise<Opened>): Promise<Session> {
  const session = opened(hub, await asked);
  hub.later!(hub.cache.put(token, session));
  return session;
}

/** The kind of a refusal; undefined for any other error. */
export function isRefusal(error: unknown): Refusal | undefined {
  const known = toHubError(error);
  if (isOutage(known)) return "later";
  if (known.code === "verification_required") return "unclaimed";
  return known.code === "session_not_found" || known.code === "session_expired" ? "never" : undefined;
}
