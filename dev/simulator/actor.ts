import type { Stack } from "../stack.ts";
import type { Act } from "./act.ts";
import type { Clock } from "./clock.ts";
import { type PageDevice, pageDevice } from "./devices/page.ts";
import { choicesOn } from "./devices/tapped.ts";
import { onTelegram, type Script, type Upload } from "./devices/telegram.ts";
import { onWhatsApp } from "./devices/whatsapp.ts";
import type { FaultRules } from "./faults.ts";
import type { SentFiles } from "./files.ts";
import type { InsideReader } from "./inside.ts";
import type { Bubble, Delivering, DeviceName, Person, Screen } from "./model.ts";
import { Refused } from "./refused.ts";
import type { Screens } from "./screens/screens.ts";
import type { WireLog } from "./wire.ts";

/** Performs acts for people. */
export interface Actor {
  /** Throws `Refused` if it cannot be done now. */
  perform(person: Person, act: Act): Promise<void>;
  screen(person: Person, device: DeviceName): Screen;
  /** The message that an act names; the newest that has the choice, for a tap without a name. */
  bubble(person: Person, act: Act): Bubble | undefined;
  /** The kiosk or the web page of a person. */
  page(person: Person, device: "kiosk" | "web"): PageDevice;
  /** The sessions that the person's pages hold. */
  held(person: Person): string[];
  /** Delivers a webhook of the wire log once more, as its platform would. */
  replay(which: DeviceName | number): Promise<void>;
  readonly delivering: Delivering;
  close(): void;
}

export interface ActorParts {
  readonly stack: Stack;
  readonly screens: Screens;
  readonly wire: WireLog;
  readonly files: SentFiles;
  readonly faults: FaultRules;
  readonly clock: Clock;
  readonly inside: InsideReader;
  /** Kills the Worker and starts it again. */
  readonly kill: () => Promise<void>;
  readonly told: {
    readonly person: (person: Person) => void;
    readonly clock: (aheadMs: number) => void;
    readonly delivering: (delivering: Delivering) => void;
  };
}

/** Longer than a send that waits for a platform's pace. */
const SETTLES_MS = 4_000;

export function createActor(parts: ActorParts): Actor {
  const { stack, screens, wire, files, faults, clock, inside, told } = parts;
  const { vars } = stack.settings;
  const hub = `http://127.0.0.1:${stack.settings.ports.PORT}`;
  const pages = new Map<string, PageDevice>();
  let delivering: Delivering = { copies: 1, delay_ms: 0, shuffle: false };

  const scriptOf =
    (emulator: { readonly url: string }): Script =>
    (path, body) =>
      post(emulator.url + path, JSON.stringify(body));
  const uploadTo =
    (emulator: { readonly url: string }): Upload =>
    async (act) => {
      const file = files.find(act);
      const query = new URLSearchParams({ type: file.type, name: file.name });
      const { id } = (await post(`${emulator.url}/_customer/file?${query}`, file.bytes)) as { id: string };
      files.link(id, file);
      return { id, file };
    };
  const telegram = scriptOf(stack.telegram);
  const whatsapp = scriptOf(stack.whatsapp);

  function page(person: Person, device: "kiosk" | "web"): PageDevice {
    const name = `${device}:${person.id}`;
    const key = vars[`${device.toUpperCase()}_API_KEY`]!.split(",")[0]!.trim();
    const found = pages.get(name) ?? pageDevice({ device, person, hub, key, screens, wire, files });
    pages.set(name, found);
    return found;
  }

  function screen(person: Person, device: DeviceName): Screen {
    const address =
      device === "telegram" ? String(person.telegram) : device === "whatsapp" ? person.whatsapp : person.id;
    return screens.at(device, address);
  }

  function bubble(person: Person, act: Act): Bubble | undefined {
    if (!("device" in act)) return undefined;
    const { bubbles } = screen(person, act.device);
    const named = act.do === "write" ? act.reply_to : "message" in act ? act.message : undefined;
    if (named === undefined) {
      if (act.do !== "tap") return undefined;
      return bubbles.findLast((one) =>
        choicesOn(one).some(({ title, tap }) => title === act.title && tap !== undefined),
      );
    }
    const found =
      typeof named === "string"
        ? bubbles.find(({ id }) => id === named)
        : bubbles.filter(({ by }) => by === named.by).at(-1 - named.back);
    if (!found) throw new Refused("the device does not show that message", "notShown");
    return found;
  }

  async function moveNumber(person: Person, device: DeviceName, phone: string): Promise<void> {
    if (device !== "whatsapp") {
      person.phone = phone;
      return told.person(person);
    }
    const [from, wa_id] = [person.whatsapp, phone.slice(1)];
    const system = {
      type: "user_changed_number",
      wa_id,
      body: `${person.name} changed from ${from} to ${wa_id}`,
    };
    await whatsapp("/_customer/message", { from, name: person.name, system });
    const { bubbles } = screen(person, device);
    person.whatsapp = wa_id;
    told.person(person);
    screens.change(device, wa_id, (moved) => {
      moved.bubbles = [...bubbles];
    });
  }

  async function shop(person: Person, { method, path, body }: Extract<Act, { do: "shop" }>): Promise<void> {
    const filled = await fill(person, JSON.stringify({ path, body }));
    const given = JSON.parse(filled) as { path: string; body?: object };
    const { n } = wire.add({
      ...{ device: "web", kind: "page", method, path: given.path, body: JSON.stringify(given.body ?? {}) },
    });
    const answer = await fetch(hub + given.path, {
      method,
      headers: { "content-type": "application/json", "x-api-key": vars.ADMIN_API_KEY!.split(",")[0]!.trim() },
      ...(method !== "GET" && { body: JSON.stringify(given.body ?? {}) }),
    });
    const text = await answer.text();
    wire.finish(n, { status: answer.status, answer: text });
    if (!answer.ok)
      throw new Refused(
        `${method} ${given.path}: ${saidIn(text)}`,
        answer.status < 500 ? "refusedByHub" : "noAnswer",
      );
  }

  /** A text with the person's own values in place of `{customer_id}` and the like. */
  async function fill(person: Person, text: string): Promise<string> {
    const values: Record<string, string> = {
      customer_id: person.customer_id,
      phone: person.phone,
      tomorrow: new Date(Date.now() + clock.aheadMs + 86_400_000).toISOString().slice(0, 10),
    };
    if (text.includes("{session_id}")) {
      const { sessions } = await inside.read(person, held(person));
      const newest = sessions.findLast(({ status }) => status === "active") ?? sessions.at(-1);
      values.session_id = String(newest?.session_id ?? "");
    }
    return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
  }

  function held(person: Person): string[] {
    return (["kiosk", "web"] as const).flatMap(
      (device) => pages.get(`${device}:${person.id}`)?.session_id ?? [],
    );
  }

  async function replay(which: DeviceName | number): Promise<void> {
    const webhook = wire.webhook(which);
    if (!webhook) throw new Refused("there is no webhook to deliver again", "nothingToRedeliver");
    if (webhook.device === "telegram") await post(`${stack.telegram.url}/_customer/update`, webhook.body);
    else await post(`${stack.whatsapp.url}/_customer/webhook`, webhook.body);
  }

  async function perform(person: Person, act: Act): Promise<void> {
    switch (act.do) {
      case "number":
        return moveNumber(person, act.device, act.phone);
      case "later":
        // A jump ends every lease: what is being sent would be sent twice.
        await inside.settled(SETTLES_MS);
        await clock.jump(act.hours * 3_600_000);
        told.clock(clock.aheadMs);
        return stack.worker.sweep();
      case "sweep":
        return stack.worker.sweep();
      case "arm":
        await faults.arm(act.rule);
        return;
      case "disarm":
        return faults.disarm(act.id);
      case "deliver": {
        const {
          copies = delivering.copies,
          delay_ms = delivering.delay_ms,
          shuffle = delivering.shuffle,
        } = act;
        delivering = { copies, delay_ms, shuffle };
        for (const { url } of [stack.telegram, stack.whatsapp])
          await post(`${url}/_delivery`, JSON.stringify({ copies, delayMs: delay_ms, shuffle }));
        return told.delivering(delivering);
      }
      case "redeliver":
        return replay(act.device);
      case "kill":
        return parts.kill();
      case "shop":
        return shop(person, act);
    }
    const on = bubble(person, act);
    const filled = act.do === "write" ? { ...act, text: await fill(person, act.text) } : act;
    if (filled.device === "telegram")
      return onTelegram(
        telegram,
        uploadTo(stack.telegram),
        person,
        filled as Parameters<typeof onTelegram>[3],
        on,
      );
    if (filled.device === "whatsapp")
      return onWhatsApp(
        whatsapp,
        uploadTo(stack.whatsapp),
        person,
        filled as Parameters<typeof onWhatsApp>[3],
        on,
      );
    return page(person, filled.device).act(filled as Parameters<PageDevice["act"]>[0], on);
  }

  return {
    perform,
    screen,
    bubble,
    page,
    held,
    replay,
    get delivering() {
      return delivering;
    },
    close() {
      for (const each of pages.values()) each.close();
    },
  };
}

async function post(url: string, body: string | Uint8Array<ArrayBuffer>): Promise<unknown> {
  const answer = await fetch(url, { method: "POST", body });
  const text = await answer.text();
  if (!answer.ok) throw new Refused(`the emulator refuses: ${saidIn(text)}`, "refusedByPlatform");
  return JSON.parse(text);
}

/** The words in an answer that is an error of the hub or of an emulator. */
function saidIn(text: string): string {
  try {
    const { error, description } = JSON.parse(text) as { error?: unknown; description?: string };
    const message = (error as { message?: string } | undefined)?.message;
    return description ?? message ?? (typeof error === "string" ? error : text);
  } catch {
    return text;
  }
}
