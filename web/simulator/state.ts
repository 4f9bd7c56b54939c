import { computed, signal } from "@preact/signals";
import type { Act } from "../../dev/simulator/act.ts";
import type { Change, DeviceName, Person, RefusedWord, Screen, Snapshot } from "../../dev/simulator/model.ts";
import { showToast } from "../kit/components/toasts.tsx";
import { say } from "./words.ts";

const API = "/simulator/api/";
const AGAIN_MS = 500;
const KEPT = "simulator-person";
/** As many as the server keeps. */
const MOST = 500;

/** Everything that the page shows; undefined until the stream has begun. */
export const shown = signal<Snapshot | undefined>(undefined);
/** Whether the stream is open. */
export const connected = signal(false);
/** The log lines of which request are shown; empty: all. */
export const logFilter = signal("");
export const tab = signal<"hub" | "wire" | "log" | "faults">("hub");
/** Ticks once a second, for what runs out. */
export const second = signal(Date.now());
setInterval(() => {
  second.value = Date.now();
}, 1_000);

/** The time in the hub. */
export const hubNow = computed(() => second.value + (shown.value?.ahead_ms ?? 0));

export function screenOf(device: DeviceName): Screen | undefined {
  return shown.value?.screens.find((screen) => screen.device === device);
}

/** Calls the simulator. Shows what it refuses, and returns undefined then. */
export async function call<T>(path: string, body?: object | Blob): Promise<T | undefined> {
  try {
    const answer = await fetch(API + path, {
      ...(body && { method: "POST", body: body instanceof Blob ? body : JSON.stringify(body) }),
    });
    const said = (await answer.json()) as T & { word?: RefusedWord };
    if (answer.ok) return said;
    showToast(say(said.word ?? "simulatorFailed"));
  } catch {
    showToast(say("lost")); // no answer, or one that is no JSON
  }
  return undefined;
}

/** Does something as the person who is shown. True if it was done. */
export async function act(what: Act): Promise<boolean> {
  const person = shown.value?.person;
  return person !== undefined && (await call(`people/${person.id}/act`, what)) !== undefined;
}

let stream: EventSource | undefined;

/** Shows a person: the one of this tab, or a new one. */
export async function begin(): Promise<void> {
  const kept = new URLSearchParams(location.search).get("person") ?? sessionStorage.getItem(KEPT);
  if (kept && (await follow(kept))) return;
  await beginAnew();
}

export async function beginAnew(): Promise<void> {
  const person = await call<Person>("people", {});
  if (person) await follow(person.id);
}

/** Plays a scenario with a person of its own, who is shown. `?pace=` sets the ms between two steps; otherwise people can read along. */
export async function playScenario(name: string): Promise<void> {
  const pace = new URLSearchParams(location.search).get("pace");
  const person = await call<Person>("play", { name, ...(pace && { pause_ms: Number(pace) }) });
  if (person) await follow(person.id);
}

/** Opens the stream of a person. False if they are not known. Once it was open it is opened again whenever it is lost. */
function follow(id: string, wasOpen = false): Promise<boolean> {
  stream?.close();
  const opened = new EventSource(`${API}stream?person=${id}`);
  stream = opened;
  return new Promise((resolve) => {
    opened.onmessage = ({ data }) => {
      if (stream !== opened) return;
      connected.value = true;
      wasOpen = true;
      const change = JSON.parse(data) as Change;
      if (change.type === "snapshot") {
        sessionStorage.setItem(KEPT, id);
        resolve(true);
      }
      take(change);
    };
    opened.onerror = () => {
      if (stream !== opened) return;
      connected.value = false;
      // The browser gives up after an answer that is no stream, as of a Worker that starts.
      if (opened.readyState !== EventSource.CLOSED) return;
      if (wasOpen) setTimeout(() => stream === opened && void follow(id, true), AGAIN_MS);
      else {
        sessionStorage.removeItem(KEPT);
        resolve(false);
      }
    };
  });
}

function take(change: Change): void {
  if (change.type === "snapshot") {
    shown.value = change.snapshot;
    return;
  }
  const before = shown.value;
  if (before) shown.value = { ...before, ...changed(before, change) };
}

function changed(before: Snapshot, change: Exclude<Change, { type: "snapshot" }>): Partial<Snapshot> {
  switch (change.type) {
    case "screen":
      return {
        screens: before.screens.map((screen) =>
          screen.device === change.screen.device && isOf(before.person, change.screen)
            ? change.screen
            : screen,
        ),
      };
    case "wire":
      return { wire: [...before.wire.filter(({ n }) => n !== change.wire.n), change.wire].slice(-MOST) };
    case "log":
      return { logs: [...before.logs, change.line].slice(-MOST) };
    case "inside":
      return change.person === before.person.id ? { inside: change.inside } : {};
    case "person":
      return change.person.id === before.person.id ? { person: change.person } : {};
    case "faults":
      return { faults: change.faults };
    case "delivering":
      return { delivering: change.delivering };
    case "clock":
      return { ahead_ms: change.ahead_ms };
    case "worker":
      return { worker: change.worker };
    case "recording":
      return { recording: change.recording ?? undefined } as Partial<Snapshot>;
    case "playing":
      return { playing: change.playing ?? undefined } as Partial<Snapshot>;
    case "scenarios":
      return { scenarios: change.scenarios };
  }
}

function isOf(person: Person, { device, address }: Screen): boolean {
  if (device === "telegram") return address === String(person.telegram);
  if (device === "whatsapp") return address === person.whatsapp;
  return address === person.id;
}
