import type { Seen } from "../emulators/watch.ts";
import type { DeviceName, Wire } from "./model.ts";

/** The most exchanges that are kept. */
const MOST = 500;

/** The exchanges on the wire, the newest last. */
export interface WireLog {
  readonly list: readonly Wire[];
  /** Adds what an emulator has seen. */
  saw(device: DeviceName, seen: Seen): void;
  add(wire: Omit<Wire, "n" | "at">): Wire;
  finish(n: number, answer: Partial<Wire>): void;
  /** The newest webhook of a device, or the exchange with this number. */
  webhook(which: DeviceName | number): Wire | undefined;
}

export function createWireLog(changed: (wire: Wire) => void): WireLog {
  const list: Wire[] = [];
  const open = new Map<string, number>();
  let last = 0;

  function add(fields: Omit<Wire, "n" | "at">): Wire {
    const wire: Wire = { n: ++last, at: Date.now(), ...fields };
    list.push(wire);
    if (list.length > MOST) list.shift();
    changed(wire);
    return wire;
  }

  function finish(n: number, answer: Partial<Wire>): void {
    const at = list.findIndex((wire) => wire.n === n);
    if (at < 0) return;
    list[at] = { ...list[at]!, ...answer };
    changed(list[at]);
  }

  function saw(device: DeviceName, seen: Seen): void {
    switch (seen.what) {
      case "webhook": {
        const { url, headers, body, attempt } = seen;
        const { n } = add({
          ...{ device, kind: "webhook", method: "POST", path: new URL(url).pathname, headers, body },
        });
        open.set(attempt, n);
        return;
      }
      case "answer": {
        const { attempt, status, body, error, request_id, ms } = seen;
        const n = open.get(attempt);
        open.delete(attempt);
        if (n === undefined) return;
        finish(n, { status, answer: body ?? error ?? "", ms, ...(request_id && { request_id }) });
        return;
      }
      case "call": {
        const { method, path, body, status, answer, ms } = seen;
        add({ device, kind: "call", method, path: withoutToken(path), body, status, answer, ms });
      }
    }
  }

  return {
    list,
    saw,
    add,
    finish,
    webhook: (which) =>
      typeof which === "number"
        ? list.find(({ n, kind }) => n === which && kind === "webhook")
        : list.findLast(({ device, kind }) => device === which && kind === "webhook"),
  };
}

/** The path of a call of the Bot API without the bot's token. */
function withoutToken(path: string): string {
  return path.replace(/\/bot[^/]+/, "/bot<token>");
}
