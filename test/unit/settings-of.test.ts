import { expect, test } from "vitest";
import { z } from "zod";
import { settingsOf } from "../../src/core/settings.ts";

const schema = z.object({
  X_TOKEN: z.string().min(8, "must have at least 8 characters"),
  X_SECRET: z.string(),
  X_API_ROOT: z.url().default("https://api.x.test"),
  X_KEYS: z
    .string()
    .transform((list) => list.split(","))
    .default([]),
});

test("a part with all its settings gets them, with defaults, and nothing else", () => {
  expect(
    settingsOf("x", schema, { X_TOKEN: "token-of-x", X_SECRET: "s", X_KEYS: "a,b", OTHER: "o" }),
  ).toEqual({
    X_TOKEN: "token-of-x",
    X_SECRET: "s",
    X_API_ROOT: "https://api.x.test",
    X_KEYS: ["a", "b"],
  });
});

test("a part without any of its required settings is off", () => {
  expect(settingsOf("x", schema, {})).toBeUndefined();
  expect(settingsOf("x", schema, { X_TOKEN: "", X_API_ROOT: "https://other.test" })).toBeUndefined();
});

test("a part without required settings is on", () => {
  expect(settingsOf("y", z.object({ Y_KEY: z.string().optional() }), { Y_KEY: "" })).toEqual({});
});

test("a part with some of its required settings is refused, naming the missing ones", () => {
  expect(() => settingsOf("x", schema, { X_TOKEN: "token-of-x" })).toThrow(
    "x is half configured: X_SECRET is missing",
  );
  expect(() => settingsOf("x", schema, { X_TOKEN: "token-of-x", X_SECRET: "" })).toThrow(
    "X_SECRET is missing",
  );
});

test("a wrong setting is named with the reason and without its value", () => {
  const set = () =>
    settingsOf("x", schema, { X_TOKEN: "hunter2", X_SECRET: "hunter3", X_API_ROOT: "hunter4" });
  expect(set).toThrow(/X_TOKEN must have at least 8 characters; X_API_ROOT Invalid URL/);
  expect(set).not.toThrow(/hunter/);
  expect(set).toThrow(expect.objectContaining({ code: "misconfigured" }));
});
