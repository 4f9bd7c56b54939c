import { expect } from "vitest";
import { normalisePhone } from "../../src/core/identity/phone.ts";
import { contentSchema } from "../../src/core/messages/content.ts";
import type { Inbound } from "../../src/core/messages/message.ts";

/**
 * Asserts what every store relies on, for any webhook: bounded ids, a sender or receiver, clean text, no unknown
 * fields.
 */
export function expectSound(inbound: readonly Inbound[]): void {
  for (const item of inbound) {
    const notified = JSON.stringify(item);
    expect(notified).not.toMatch(/\\u0000|\\ud[89a-f]/);
    switch (item.type) {
      case "message": {
        const { external_id, from, address, content } = item.message;
        expectId(external_id);
        expectWho(from);
        expect(Object.keys(address).length).toBeGreaterThan(0);
        for (const part of Object.values(address)) expect(part).toEqual(expect.stringMatching(/^[!-~]+$/));
        expectContent(content);
        break;
      }
      case "echo":
        expectId(item.echo.external_id);
        expectWho(item.echo.to);
        expectContent(item.echo.content);
        break;
      case "edit":
        expectId(item.edit.external_id);
        if (item.edit.content) expectContent(item.edit.content);
        break;
      case "receipt":
        expectId(item.receipt.external_id);
        break;
      case "identity_change":
        expectWho(item.change.from);
        expectWho(item.change.to);
        break;
      case "reachability":
        expectWho(item.reachability.who);
        break;
      case "ignored":
        expect(item.what).toMatch(/^[ -~]{1,100}$/);
    }
  }
}

/** A short name of an event, for tables: `message text`, `message reaction, quiet`, `ignored group`. */
export function inWords(item: Inbound): string {
  switch (item.type) {
    case "message":
      return `message ${item.message.content.kind}${item.message.wakes ? "" : ", quiet"}`;
    case "echo":
      return `echo ${item.echo.content.kind}`;
    case "edit":
      return `edit ${item.edit.content?.kind ?? "to nothing"}`;
    case "receipt":
      return `receipt ${item.receipt.status}`;
    case "ignored":
      return `ignored ${item.reason}`;
    default:
      return item.type;
  }
}

function expectId(id: string): void {
  expect(id.length).toBeGreaterThan(0);
  expect(id.length).toBeLessThanOrEqual(640);
}

function expectWho(who: object): void {
  const values = Object.entries(who);
  expect(values.length).toBeGreaterThan(0);
  for (const [kind, value] of values) {
    expect(value).toEqual(expect.stringMatching(/^[!-~]{1,160}$/));
    if (kind === "phone") expect(normalisePhone(value)).toBe(value);
  }
}

function expectContent(content: unknown): void {
  expect(contentSchema.parse(content)).toEqual(content);
}
