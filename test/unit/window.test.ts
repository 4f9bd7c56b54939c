import { describe, expect, test } from "vitest";
import whatsapp from "../../src/channels/whatsapp/index.ts";
import type { Part } from "../../src/core/answer/turn.ts";
import { variablesOf } from "../../src/core/content/template.ts";
import { isOpen, type OutsideWindow, withOutside, withWindow } from "../../src/core/deliver/window.ts";
import type { InboundEvent } from "../../src/core/receive/conversations.ts";
import { ENV } from "../support/http.ts";

const HOUR = 3_600_000;
const now = new Date("2026-11-02T10:00:00Z");
const at = (ms: number) => new Date(now.getTime() + ms);
const channel = (env: object = {}) => whatsapp({ ...ENV, ...env })!;
const heard = (over: object): InboundEvent =>
  ({ type: "message", message: { content: { kind: "text", text: "hi" }, ...over } }) as InboundEvent;
const closes = (event: InboundEvent) => event.type === "message" && event.message.window_closes_at;

describe("a message opens its window", () => {
  const { window } = channel();
  test.for<[string, object, Date | undefined]>([
    ["from the platform's time of it", { sent_at: at(-HOUR) }, at(23 * HOUR)],
    ["from now without such a time", {}, at(24 * HOUR)],
    ["from now where the platform's clock is ahead", { sent_at: at(HOUR) }, at(24 * HOUR)],
    ["not at all as a reaction", { content: { kind: "reaction", emoji: "👍" } }, undefined],
  ])("%s", ([, over, end]) => {
    expect(closes(withWindow(window, heard(over), now))).toEqual(end);
  });

  test("not on a channel without windows", () => {
    expect(closes(withWindow(undefined, heard({}), now))).toBeUndefined();
  });

  test("which counts as closed a minute before its end", () => {
    expect([isOpen(undefined, now), isOpen(at(60_000), now), isOpen(at(60_001), now)]).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe("outside the window", () => {
  const text = (words: string): Part => ({ kind: "text", text: words });
  const call = (type: string, more: object = {}): Part => ({ ...text(""), call: { type, ...more } as never });
  const asked = (parts: Part[], wish: OutsideWindow | undefined, env: object = {}) =>
    withOutside(channel(env).window!, parts, wish).map(({ outside }) => outside);

  test("the settings decide for a reply that wishes nothing", () => {
    expect(asked([text("a")], undefined)).toEqual([undefined]);
    expect(asked([text("a")], undefined, { WHATSAPP_OUTSIDE_WINDOW: "hold" })).toEqual(["hold"]);
    expect(asked([text("a")], "fail", { WHATSAPP_OUTSIDE_WINDOW: "hold" })).toEqual([undefined]);
  });

  test("a template and Direct Send need no window", () => {
    expect(asked([call("template"), call("text", { category: "utility" })], "hold")).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("a part without a text, or an account without the setting, has no stand-in", () => {
    expect(asked([call("image")], "template", { WHATSAPP_WINDOW_TEMPLATE: "news" })).toEqual([undefined]);
    expect(asked([text("a")], "template")).toEqual([undefined]);
    expect(asked([text("a")], "utility")).toEqual([undefined]);
    const direct = { WHATSAPP_DIRECT_SEND: "true" };
    expect(asked([text("a".repeat(1025)), call("image")], "utility", direct)).toEqual([undefined, undefined]);
    const list = call("interactive", { interactive: { type: "list" } });
    expect(asked([list], "utility", direct)).toEqual([undefined]);
  });

  test("a long text is cut for the template's variable", () => {
    const [made] = asked([text("word ".repeat(400))], "template", { WHATSAPP_WINDOW_TEMPLATE: "news" });
    const { template } = (made as { call: any }).call;
    expect(template.components[0].parameters[0].text.length).toBeLessThanOrEqual(800);
  });

  test.for([
    ["template", "WHATSAPP_WINDOW_TEMPLATE"],
    ["utility", "WHATSAPP_DIRECT_SEND"],
  ])("settings that want %s need %s", ([wish, name]) => {
    expect(() => channel({ WHATSAPP_OUTSIDE_WINDOW: wish })).toThrow(name);
  });
});

test("a template's variables are read by part", () => {
  const components = [
    { type: "HEADER", format: "IMAGE" },
    { type: "BODY", text: "{{1}}, {{ 2 }} and {{1}}" },
    { type: "BUTTONS", buttons: [{ type: "URL", url: "https://shop.example/{{1}}" }] },
  ];
  expect(variablesOf({ components })).toEqual({
    header: [],
    body: ["1", "2"],
    header_media: "image",
    buttons: ["url"],
    other: [],
  });
  const plain = [
    { type: "HEADER", format: "TEXT", text: "{{name}}" },
    { type: "FOOTER", text: "x" },
  ];
  expect(variablesOf({ components: plain })).toEqual({
    header: ["name"],
    body: [],
    buttons: [],
    other: [],
  });
});
