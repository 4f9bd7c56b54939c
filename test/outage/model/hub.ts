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

/** Something that somebody wants of the hub, again and again until it is acknowledged. */
export interface Deed {
  readonly name: string;
  /** Whose sessions it changes: people, or devices of nobody. */
  readonly keys: readonly string[];
  /** Asks a hub for it once. Resolves when that is acknowledged. */
  ask(isolate: Isolate): Promise<unknown>;
  /** Platforms come again later; devices give up. */
  readonly stubborn: boolean;
  /** Whether it says only what changes nothing when it is not there: a receipt. */
  readonly quarantined?: boolean;
  /** Messages that it brings, by the ids that their senders gave them. */
  readonly messages: readonly string[];
  firstStep: number;
  acked?: { readonly step: number; readonly at: number; readonly order: number };
  /** An attempt was cut off, so that nobody knows what came of it. */
  cut: boolean;
  /** It was refused for good: there is no such session, or the phone may not be claimed. */
  refused?: {
    readonly step: number;
    readonly at: number;
    readonly order: number;
    readonly why: Refusal;
    readonly isBlind: boolean;
  };
  /** It was acknowledged, and the calm world refuses it: see `happenCalmly`. */
  isRefusedCalmly?: boolean;
  /** Whom it cuts off from what, or connects again. */
  readonly reach?: { readonly key: string; readonly channel: string; readonly reachable: boolean };
  /** Whether tokens die of it: of a sign-out, of an end, or of a start by which two customers may become one. */
  readonly ends?: boolean;
}

/** Why something is refused: it may come again later, there is no such session, or it may not be claimed. */
export type Refusal = "later" | "never" | "unclaimed";

export interface Device {
  /** Whose sessions it opens. */
  key: string;
  token?: string;
}

/** A token that somebody was given by a deed, and the session they were told it opens. */
export interface Given {
  readonly key: string;
  readonly by: Deed;
  readonly token: string;
  readonly session_id: string;
}

/** Customers, platforms and devices; they remember what they were told. */
export interface Shop {
  readonly deeds: Deed[];
  readonly given: readonly Given[];
  /** Whose tokens may be dead, because somebody asked for that. */
  readonly left: ReadonlySet<string>;
  /** Whose customers may have become one by a start that named two identities: other tokens of theirs died of it. */
  readonly joined: ReadonlySet<string>;
  /** The receipts that were acknowledged, by the channel and the id of what they tell of. */
  readonly receipts: ReadonlyMap<string, readonly string[]>;
  /** What this action asks for; undefined when it cannot be, or may not be done by these. */
  deed(action: Action, step: number, may?: (keys: readonly string[]) => boolean): Deed | undefined;
}

export const personKey = (who: number): string => `person ${who}`;

const SWEEP = { batch: 20, batches: 5, sessions: 500, retentionMs: 1_000 * DAY };

export function openShop(world: World): Shop {
  const deeds: Deed[] = [];
  const given: Given[] = [];
  const left = new Set<string>();
  const joined = new Set<string>();
  const receipts = new Map<string, string[]>();
  const devices: Device[] = [0, 1, 2].map((n) => ({ key: `device ${n}` }));
  let numbers = 0;
  let tokens = 0;
  const person = personKey;

  function made(deed: Omit<Deed, "firstStep" | "cut" | "messages"> & { messages?: string[] }, step: number) {
    const whole: Deed = { messages: [], ...deed, firstStep: step, cut: false };
    return whole;
  }

  const posted = (channel: string, kept: InboundEvent[]) => async (isolate: Isolate) => {
    const { turns } = await accept(isolate.hub, channel, webhook(...kept));
    answering(isolate, turns, world.bugs);
  };

  function write(people: readonly number[], channel: Platform, count: number, step: number): Deed {
    const kept = people.flatMap((who) =>
      Array.from({ length: count }, () => said(channel, identityOn(channel, who), `m${++numbers}`)),
    );
    const messages = kept.map(({ message }) => message.external_id);
    const name = `${channel} ${messages}`;
    return made(
      { name, keys: people.map(person), stubborn: true, messages, ask: posted(channel, kept) },
      step,
    );
  }

  function begin(action: Extract<Action, { do: "start" }>, step: number): Deed {
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

  /** A device gets a token, which it keeps when it is told. */
  function opening(
    device: number,
    key: string,
    name: string,
    step: number,
    open: (isolate: Isolate, token_hash: string) => Promise<Opened>,
  ): Deed {
    let token_hash: string | undefined;
    const by: Deed = made(
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
    deeds,
    given,
    left,
    joined,
    receipts,
    deed(action, step, may = () => true) {
      const found = wanted(action, step);
      if (!found || deeds.includes(found)) return found;
      if (!may(found.keys)) return undefined;
      deeds.push(found);
      return found;
    },
  };

  function wanted(action: Action, step: number): Deed | undefined {
    const device = "device" in action ? devices[action.device]! : undefined;
    const { token } = device ?? {};
    switch (action.do) {
      case "write":
        return write([action.who], action.channel, action.count, step);
      case "crowd":
        return write([0, 1, 2], action.channel, 1, step);
      case "redeliver": {
        const webhooks = deeds.filter(({ stubborn }) => stubborn);
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
        const writes = deeds.filter(({ stubborn, messages }) => stubborn && messages.length > 0);
        const of = writes.at(-1 - (action.nth % Math.max(1, writes.length)));
        if (!of) return undefined;
        const [external_id] = of.messages as [string];
        const channel = of.name.split(" ")[0]!;
        // Newer than every other edit, and after its message.
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
        const kept = said("web", { token_hash: token }, `m${++numbers}`);
        const messages = [kept.message.external_id];
        const ask = posted("web", [kept]);
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
        const kept = said("kiosk", { phone }, `m${++numbers}`);
        const messages = [kept.message.external_id];
        const event = { ...kept, message: { ...kept.message, claimed: true } };
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

/** The hub and the cache learn of it behind the answer, as the Worker tells them. */
async function presented({ hub }: Isolate, token: string, asked: Promise<Opened>): Promise<Session> {
  const session = opened(hub, await asked);
  hub.later!(hub.cache.put(token, session));
  return session;
}

/** Whether an answer means: try again later; or there is no such session; or it may not be claimed. */
export function isRefusal(error: unknown): Refusal | undefined {
  const known = toHubError(error);
  if (isOutage(known)) return "later";
  if (known.code === "verification_required") return "unclaimed";
  return known.code === "session_not_found" || known.code === "session_expired" ? "never" : undefined;
}
