import { describe, expect, test } from "vitest";
import { STEP_MS } from "../../src/http/identity/steady.ts";
import { begin, post } from "../support/http.ts";
import { call, keys, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";

const KNOWN = "+4915112340001";
const UNKNOWN = "+4915112340002";
const password = "correct horse battery";

/** A hub that knows one phone: with a session, a messenger and a password. */
async function shop(): Promise<StrictHub> {
  const hub = strictHub();
  await onWhatsApp(hub, KNOWN, "Hello");
  const { bearer } = await begin(hub, { phone: KNOWN, channel: "web" }, keys.web);
  await call(hub, "/auth/signup", post({ password }, bearer));
  return hub;
}

/** What a stranger sees of an answer, without what differs by chance. */
async function seen(hub: StrictHub, path: string, body: object, headers: Record<string, string> = {}) {
  const response = await hub.request(path, post(body, { "x-request-id": "same", ...headers }));
  return { status: response.status, headers: [...response.headers].toSorted(), body: await response.text() };
}

/** Which methods of the store were called, and how often. */
function countCalls(hub: StrictHub): string[] {
  const calls: string[] = [];
  const { store } = hub.hub;
  for (const port of [
    "conversations",
    "sessions",
    "operations",
    "proofs",
    "privacy",
    "housekeeping",
  ] as const)
    for (const [name, method] of Object.entries(store[port]))
      Object.assign(store[port], {
        [name]: (...given: unknown[]) => {
          calls.push(`${port}.${name}`);
          return (method as (...given: unknown[]) => unknown)(...given);
        },
      });
  return calls;
}

const QUESTIONS: [string, string, (phone: string) => object][] = [
  ["asking for a code", "/session/verify", (phone) => ({ phone })],
  ["a wrong code", "/session/verify", (phone) => ({ phone, code: "000000" })],
  ["a wrong password", "/auth/login", (phone) => ({ phone, password: "a guessed password", channel: "web" })],
  ["a short password", "/auth/login", (phone) => ({ phone, password: "x", channel: "web" })],
];

test.for(QUESTIONS)(
  "%s is answered the same for a phone we know and one we don't",
  async ([, path, body]) => {
    const hub = await shop();
    for (let i = 0; i < 7; i++) {
      const known = await seen(hub, path, body(KNOWN));
      const unknown = await seen(hub, path, body(UNKNOWN));
      expect(unknown).toEqual(known);
      expect(known.status).not.toBe(500);
    }
  },
);

test.for(QUESTIONS)("%s makes the same calls for both, before the answer", async ([, path, body]) => {
  const made = async (phone: string) => {
    const hub = await shop();
    const calls = countCalls(hub);
    await hub.request(path, post(body(phone)));
    return [...calls];
  };
  expect(await made(UNKNOWN)).toEqual(await made(KNOWN));
});

test("a code that takes ten seconds to send is answered as fast as none", async () => {
  const hub = await shop();
  const release = Promise.withResolvers<void>();
  for (const channel of Object.values(hub.hub.channels))
    Object.assign(channel, { sendCode: () => release.promise });
  const answer = await Promise.race([
    hub.request("/session/verify", post({ phone: KNOWN })),
    new Promise<undefined>((resolve) => setTimeout(resolve, 2_000)),
  ]);
  expect(answer?.status).toBe(202);
  release.resolve();
  await hub.idle();
});

test("a code that cannot be sent at all is answered as one that was", async () => {
  const hub = await shop();
  for (const channel of Object.values(hub.hub.channels))
    Object.assign(channel, {
      sendCode: async () => {
        throw new Error("the platform is gone");
      },
    });
  const known = await seen(hub, "/session/verify", { phone: KNOWN });
  expect(await seen(hub, "/session/verify", { phone: UNKNOWN })).toEqual(known);
  await hub.idle();
});

test("a stranger cannot tell from the log lines' fields either", async () => {
  const hub = await shop();
  const lineOf = async (phone: string) => {
    const from = hub.lines.length;
    await hub.request("/session/verify", post({ phone, code: "000000" }));
    const { duration_ms, request_id, ...fields } = hub.lines.slice(from).at(-1)!.fields;
    return fields;
  };
  expect(await lineOf(UNKNOWN)).toEqual(await lineOf(KNOWN));
});

describe("the time of an answer", () => {
  /** A hub whose store takes so many ms for a phone, on a clock that only such work and sleeping move. */
  async function timed(takes: (phone: string) => number) {
    const hub = await shop();
    const { proofs } = hub.hub.store;
    for (const name of ["requestCode", "confirmCode", "logIn"] as const) {
      const method = proofs[name] as (proof: { phone: string }, now: Date) => Promise<unknown>;
      const slow: typeof method = async (proof, now) => {
        pass(takes(proof.phone));
        return method(proof, now);
      };
      Object.assign(proofs, { [name]: slow });
    }
    function pass(ms: number): void {
      hub.clock.now = new Date(hub.clock.now.getTime() + ms);
    }
    const asleep = { wait: async (ms: number) => pass(ms) };
    Object.assign(hub.hub, { sleep: (ms: number) => asleep.wait(ms) });
    const took = async (path: string, body: object) => {
      const began = hub.clock.now.getTime();
      await hub.request(path, post(body));
      return hub.clock.now.getTime() - began;
    };
    return { hub, took, asleep };
  }

  test.for(QUESTIONS)("%s is the same however long the store takes, up to a step", async ([, path, body]) => {
    const { took } = await timed((phone) => (phone === KNOWN ? 171 : 12));
    expect([await took(path, body(KNOWN)), await took(path, body(UNKNOWN))]).toEqual([STEP_MS, STEP_MS]);
  });

  test.for(QUESTIONS)("%s goes on in steps where the store takes longer", async ([, path, body]) => {
    const { took } = await timed((phone) => (phone === KNOWN ? STEP_MS + 190 : STEP_MS + 3));
    const both = [await took(path, body(KNOWN)), await took(path, body(UNKNOWN))];
    expect(both).toEqual([2 * STEP_MS, 2 * STEP_MS]);
  });

  test.for(QUESTIONS)("%s gives no answer before the step is over", async ([, path, body]) => {
    const { hub, asleep } = await timed(() => 5);
    const over = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<number>();
    asleep.wait = (ms) => {
      if (ms > 0) asked.resolve(ms);
      return ms > 0 ? over.promise : Promise.resolve();
    };
    let answered = false;
    const answer = Promise.resolve(hub.request(path, post(body(KNOWN)))).then(() => {
      answered = true;
    });
    expect(await asked.promise).toBe(STEP_MS - 5);
    await new Promise(setImmediate);
    expect(answered).toBe(false);
    over.resolve();
    await answer;
    await hub.idle();
  });
});
