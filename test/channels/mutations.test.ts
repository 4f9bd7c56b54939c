import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channels } from "../../src/channels/index.ts";
import type { Inbound } from "../../src/core/messages/message.ts";
import { kits } from "../support/channels.ts";
import { bytesOf, fixturesWith, plain, type RequestFixture, toRequest } from "../support/fixtures.ts";
import { withPlatform } from "../support/platform.ts";
import { expectSound } from "../support/sound.ts";

type Json = Record<string, any>;

/** How to find the messages with a sender and an id in a platform's body, in reading order. */
interface Anatomy {
  /** Every message of the body. */
  readonly messages: (body: Json) => unknown[];
  /** The fields of a message that hold its type, sender and id. All other fields are mutated. */
  readonly spared: readonly string[];
  /** Whether these fields alone make a message. */
  readonly isWhole: (message: Json) => boolean;
}

const ANATOMY: Readonly<Record<string, Anatomy>> = {
  whatsapp: {
    messages: ({ entry }) =>
      [entry]
        .flat()
        .flatMap((one: any) =>
          [one?.changes]
            .flat()
            .flatMap((change: any) =>
              change?.field === "messages" ? [change?.value?.messages ?? []].flat() : [],
            ),
        ),
    spared: ["id", "from", "from_user_id"],
    isWhole: ({ id, from, from_user_id, type, group_id }) =>
      typeof id === "string" &&
      (/^\d{1,32}$/.test(String(from ?? "")) || /^[A-Z]{2}\.\w{1,128}$/.test(from_user_id ?? "")) &&
      typeof from !== "number" &&
      group_id === undefined &&
      !["system", "edit", "revoke"].includes(type),
  },
  telegram: {
    messages: (body) =>
      ["message", "business_message", "callback_query", "message_reaction"].flatMap(
        (kind) => body[kind] ?? [],
      ),
    spared: ["id", "message_id", "chat", "from", "user", "business_connection_id"],
    isWhole: () => true,
  },
};

/** One change inside a message: one node is removed or replaced. */
const mutation = fc.record({
  at: fc.nat(),
  value: fc.oneof(
    { weight: 1, arbitrary: fc.constant(undefined) },
    { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  ),
});

describe.each(Object.keys(ANATOMY))("%s", (name) => {
  const kit = kits[name]!;
  const { messages, spared, isWhole } = ANATOMY[name]!;
  const bodies = fixturesWith<RequestFixture>(name, "request").flatMap(
    ([file, { request, error, platform }]) =>
      request.body === undefined || error || platform ? [] : ([[file, request.body as Json]] as const),
  );

  test("a message with other damaged fields is stored, and its neighbours are unchanged", async () => {
    await withPlatform([kit.whileReading ?? {}], async (apiRoot) => {
      const channel = channels[name]!(kit.env(apiRoot))!;
      const read = async (body: Json) => channel.parse(toRequest(bytesOf({ body })));
      const targets: { file: string; body: Json; at: number; before: Inbound[]; as: number }[] = [];
      for (const [file, body] of bodies) {
        const before = await read(body);
        for (const [at, message] of messages(body).entries()) {
          const as = before.findIndex(
            (item) => item.type === "message" && isOf(message, item.message.external_id),
          );
          if (as >= 0 && isWhole(message as Json)) targets.push({ file, body, at, before, as });
        }
      }
      expect(targets.length).toBeGreaterThan(40);
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...targets),
          fc.array(mutation, { minLength: 1, maxLength: 4 }),
          async ({ file, body, at, before, as }, mutations) => {
            const mutated = structuredClone(body);
            const message = messages(mutated)[at] as Json;
            for (const one of mutations) mutate(message, spared, one);
            fc.pre(name !== "whatsapp" || isWhole(message));
            const after = await read(mutated);
            expectSound(after);
            const label = `${file}: ${JSON.stringify(message)}`;
            expect(after.length, label).toBe(before.length);
            for (const [i, item] of after.entries()) {
              if (i !== as) expect(plain(item), label).toEqual(plain(before[i]));
              else expect(idOf(item), label).toBe(idOf(before[as]!));
            }
          },
        ),
        { numRuns: 1_500 },
      );
    });
  });
});

function isOf(message: unknown, external_id: string): boolean {
  const { id, message_id } = (message ?? {}) as Json;
  return (
    external_id === id ||
    external_id === `callback:${id}` ||
    external_id.startsWith("update:") ||
    external_id.endsWith(`:${message_id}`)
  );
}

function idOf(item: Inbound): string | undefined {
  return item.type === "message" ? item.message.external_id : `${item.type} ${JSON.stringify(item)}`;
}

function mutate(
  message: Json,
  spared: readonly string[],
  { at, value }: { at: number; value: unknown },
): void {
  const places: [Json, string][] = [];
  const visit = (node: Json, isTop: boolean) => {
    for (const [key, child] of Object.entries(node)) {
      if (isTop ? spared.includes(key) : ["chat", "business_connection_id"].includes(key)) continue;
      places.push([node, key]);
      if (child !== null && typeof child === "object") visit(child, false);
    }
  };
  visit(message, true);
  const [holder, key] = places[at % Math.max(1, places.length)] ?? [];
  if (!holder || key === undefined) return;
  if (value === undefined) delete holder[key];
  else holder[key] = value;
}
