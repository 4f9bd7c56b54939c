import * as node from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { equalText, isHmac, isOneOf, sameSecret } from "../../src/core/signature.ts";
import { callerOf } from "../../src/http/auth.ts";

vi.mock("node:crypto", { spy: true });

const src = resolve(import.meta.dirname, "../../src");

afterEach(() => {
  vi.restoreAllMocks();
});

const hashOf = (text: string) => node.createHash("sha256").update(text).digest("hex");

/** Records the bytes of both sides of every comparison in constant time meanwhile, as hex. */
function watchComparisons(): [string, string][] {
  const seen: [string, string][] = [];
  const hex = (bytes: NodeJS.ArrayBufferView) => Buffer.from(bytes as Uint8Array).toString("hex");
  vi.spyOn(node, "timingSafeEqual").mockImplementation((a, b) => {
    seen.push([hex(a), hex(b)]);
    return hex(a) === hex(b);
  });
  return seen;
}

describe("a comparison of secrets", () => {
  test("hashes both sides, so that both have one length", async () => {
    for (const given of ["right", "wrong", "r", "", "right-and-much-longer".repeat(50)]) {
      const seen = watchComparisons();
      expect(await sameSecret(given, "right")).toBe(given === "right");
      expect(seen).toEqual([[hashOf(given), hashOf("right")]]);
      vi.restoreAllMocks();
    }
  });

  test("with a list compares all entries, wherever the right one is", async () => {
    const list = ["one", "two", "three"];
    for (const given of [...list, "none"]) {
      const seen = watchComparisons();
      expect(await isOneOf(given, list)).toBe(given !== "none");
      expect(seen).toEqual(list.map((one) => [hashOf(given), hashOf(one)]));
      vi.restoreAllMocks();
    }
  });

  test("of API keys compares every scope, whatever it finds first", async () => {
    const keys = { kiosk: ["k1", "k2"], web: ["w"], admin: ["a1", "a2"] };
    for (const key of ["k1", "w", "a2"]) {
      const seen = watchComparisons();
      await callerOf(new Headers({ "x-api-key": key }), keys);
      for (const known of ["k1", "k2", "w", "a1", "a2"])
        expect(seen).toContainEqual([hashOf(key), hashOf(known)]);
      vi.restoreAllMocks();
    }
  });

  test("of texts reads every byte of the right one, wherever they differ", () => {
    const right = "0123456789abcdef";
    const reads = (given: string) => {
      let count = 0;
      const encode = TextEncoder.prototype.encode;
      vi.spyOn(TextEncoder.prototype, "encode").mockImplementation(function (this: TextEncoder, text) {
        const bytes = encode.call(this, text);
        if (text !== right) return bytes;
        return new Proxy(bytes, {
          get(target, key) {
            if (typeof key === "string" && /^\d+$/.test(key)) count++;
            return Reflect.get(target, key, target);
          },
        });
      });
      expect(equalText(given, right)).toBe(false);
      vi.restoreAllMocks();
      return count;
    };
    for (const given of ["x123456789abcdef", "0123456789abcdex", "", "0", "y".repeat(99)])
      expect(reads(given)).toBe(right.length);
  });

  test("of a signature is done by the runtime, in constant time", async () => {
    const seen = watchComparisons();
    const right = node
      .createHmac("sha256", "secret")
      .update(new Uint8Array([1]))
      .digest("hex");
    for (const given of ["0".repeat(64), right])
      expect(await isHmac("secret", new Uint8Array([1]), given)).toBe(given === right);
    expect(seen).toEqual([
      ["0".repeat(64), right],
      [right, right],
    ]);
  });
});

test("no source compares a secret with an operator", () => {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  // A hash may be compared so: how many of its characters agree shows nothing of the hashed text.
  const secret = String.raw`\b[\w.]*(?:secret|password|api_?key|signature|verify_token)\b`;
  const compared = new RegExp(
    `${secret}\\s*[!=]==?(?!=)\\s*(?!\\s|undefined|null|"")|[!=]==?\\s*${secret}`,
    "i",
  );
  for (const line of ["if (given === secret)", "key !== env.WEB_API_KEY", "password == given"])
    expect(line).toMatch(compared);
  const found = files.flatMap((name) =>
    readFileSync(join(src, name), "utf8")
      .split("\n")
      .filter((line) => compared.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line))
      .map((line) => `${name}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});
