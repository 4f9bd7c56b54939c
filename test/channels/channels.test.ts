import { readdirSync } from "node:fs";
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channels } from "../../src/channels/index.ts";
import type { Channel } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import { kits } from "../support/channels.ts";
import {
  bytesOf,
  type CodeFixture,
  type Exchange,
  fixturesWith,
  type HandshakeFixture,
  plain,
  type RequestFixture,
  type SendFixture,
  type ShowTypingFixture,
  toRequest,
} from "../support/fixtures.ts";
import { withPlatform } from "../support/platform.ts";
import { expectSound } from "../support/sound.ts";

const NOBODY = "http://127.0.0.1:9";

test("every folder of fixtures is run", () => {
  expect(readdirSync("test/fixtures").sort()).toEqual(Object.keys(kits).sort());
});

describe.each(Object.keys(kits))("%s", (name) => {
  const kit = kits[name]!;
  const make = channels[name]!;
  const channel = make(kit.env(NOBODY))!;
  const requests = fixturesWith<RequestFixture>(name, "request");

  test.for(requests)("reads %s", async ([, { request, inbound, error, platform, requests }]) => {
    const body = bytesOf(request);
    const signed = toRequest(body, { ...(await kit.sign(body)), ...request.headers });
    await withPlatform([platform ?? kit.whileReading ?? []].flat(), async (apiRoot, calls) => {
      const reader = make(kit.env(apiRoot))!;
      await reader.verify(signed);
      if (error) await expect(reader.parse(signed)).rejects.toMatchObject(error);
      else expect(plain(await reader.parse(signed))).toEqual(inbound);
      if (requests) expect(calls).toMatchObject(requests);
    });
  });

  test.for(requests)("refuses %s without its signature, or with a forged one", async ([, { request }]) => {
    const body = bytesOf(request);
    for (const headers of [{}, ...(await kit.forge(body))]) {
      await expect(channel.verify(toRequest(body, headers))).rejects.toMatchObject({
        code: "unauthorized",
      });
    }
  });

  test("reads the valid parts of a damaged webhook, and throws only malformed", async () => {
    await withPlatform([kit.whileReading ?? {}], async (apiRoot) => {
      const reader = make(kit.env(apiRoot))!;
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...requests.filter(([, { request }]) => request.body !== undefined)),
          fc.array(fc.tuple(fc.nat(), fc.jsonValue({ maxDepth: 2 })), { minLength: 1, maxLength: 3 }),
          async ([, { request }], damages) => {
            const body = structuredClone(request.body);
            for (const [at, value] of damages) damage(body, at, value);
            await reader.parse(toRequest(bytesOf({ body }))).then(expectSound, mustBeMalformed);
          },
        ),
        { numRuns: 500 },
      );
    });
  });

  test.for(fixturesWith<HandshakeFixture>(name, "handshake"))(
    "answers the handshake: %s",
    async ([, fixture]) => {
      const { method = "GET", query } = fixture.handshake;
      const asked = { ...toRequest(new Uint8Array()), method, query: new URLSearchParams(query) };
      const answer = async () => channel.challenge?.(asked) ?? null;
      if (fixture.error) await expect(answer()).rejects.toMatchObject(fixture.error);
      else expect(await answer()).toBe(fixture.answer);
    },
  );

  test.for(fixturesWith<SendFixture>(name, "send"))("sends: %s", async ([, fixture]) => {
    const { to, part } = fixture.send;
    const id = fixture.idMatches === undefined ? fixture.id : expect.stringMatching(fixture.idMatches);
    await exchange(fixture, id, (ours, signal) => ours.send(to, part, signal), [
      part.text,
      ...Object.values(to),
    ]);
  });

  test.for(fixturesWith<CodeFixture>(name, "sendCode"))("sends a code: %s", async ([, fixture]) => {
    const { address, code, hours } = fixture.sendCode;
    const used_at = new Date("2026-11-02T08:00:00Z");
    const now = new Date(used_at.getTime() + hours * 3_600_000);
    await exchange(
      fixture,
      undefined,
      (ours, signal) => ours.sendCode({ channel: name, address, used_at }, code, now, signal),
      [code, ...Object.values(address)],
      fixture.env,
    );
  });

  test.for(fixturesWith<ShowTypingFixture>(name, "showTyping"))("shows typing: %s", async ([, fixture]) => {
    const { to, external_id } = fixture.showTyping;
    await exchange(
      fixture,
      undefined,
      (ours, signal) => ours.showTyping(to, external_id, signal),
      Object.values(to),
    );
  });

  test("cuts a long reply into parts within the platform's limit, and leaves a short one unchanged", () => {
    const short = { kind: "text", text: "Your table is ready." } as const;
    expect(channel.split(short)).toEqual([short]);
    const words = "A sentence with an emoji 👩‍👩‍👧 in it. ".repeat(400).trim();
    const parts = channel.split({ kind: "text", text: words });
    expect(parts.length).toBeGreaterThan(3);
    for (const part of parts) expect(part.text.length).toBeLessThanOrEqual(kit.longest);
    expect(parts.map((part) => part.text).join(" ")).toBe(words);
  });

  test("is off without settings, and names a missing or wrong one", () => {
    expect(make({})).toBeUndefined();
    for (const key of kit.required) {
      const { [key]: _, ...rest } = kit.env(NOBODY);
      expect(() => make(rest)).toThrow(new RegExp(`${key} is missing`));
    }
  });

  /** Makes a call with the platform simulated by the fixture. Checks the platform's requests and the result. */
  async function exchange(
    fixture: Exchange,
    value: unknown,
    call: (ours: Channel, signal: AbortSignal) => Promise<unknown>,
    secrets: readonly string[],
    env: Record<string, string> = {},
  ): Promise<void> {
    const hidden = [...secrets, ...kit.required.map((key) => kit.env(NOBODY)[key]!)];
    await withPlatform([fixture.platform].flat(), async (apiRoot, calls) => {
      const called = call(
        make({ ...kit.env(apiRoot), ...env })!,
        AbortSignal.timeout(hangs(fixture) ? 200 : 5_000),
      );
      const outcome = await called.then((value) => ({ value }), errorOf(hidden));
      expect(outcome).toEqual(fixture.error ? { error: fixture.error } : { value });
      if (fixture.requests) expect(calls).toMatchObject(fixture.requests);
      else expect(calls.length).toBeGreaterThan(0);
      for (const call of calls) expect(kit.wrongIn(call)).toBeUndefined();
      for (const [at, wanted] of (fixture.requests ?? []).entries())
        expect(calls[at]?.body).toEqual(wanted.body);
    });
  }
});

function hangs({ platform }: Exchange): boolean {
  return [platform].flat().some((answer) => answer.hang);
}

/** Replaces the `at`-th value inside a JSON body, wherever it lies. */
function damage(body: unknown, at: number, value: unknown): void {
  const places: [Record<string, unknown>, string][] = [];
  const visit = (node: unknown) => {
    if (node === null || typeof node !== "object") return;
    for (const [key, child] of Object.entries(node)) {
      places.push([node as Record<string, unknown>, key]);
      visit(child);
    }
  };
  visit(body);
  const [holder, key] = places[at % Math.max(1, places.length)] ?? [];
  if (holder && key !== undefined && key !== "__proto__") holder[key] = value;
}

function mustBeMalformed(error: unknown): void {
  if (!(error instanceof HubError) || error.code !== "malformed") throw error;
}

/** The outcome of a failed send, after a check that the error holds none of the `secrets`. */
function errorOf(secrets: readonly string[]) {
  return (error: unknown) => {
    if (!(error instanceof HubError)) throw error;
    const notified = inspect(error, { depth: 8, showHidden: true });
    for (const secret of secrets) expect(notified).not.toContain(secret);
    const { code, reason, retryAfterMs } = error;
    return { error: plain({ code, reason, retryAfterMs }) };
  };
}
