import { batch, computed, signal } from "@preact/signals";
import { showToast } from "../kit/components/toasts.tsx";
import { isChange } from "../kit/content/reactions.ts";
import {
  type Beside,
  type Canned,
  type Conversation,
  type Counts,
  call,
  type DeadLetter,
  type Found,
  isSignedIn,
  keepToken,
  type Message,
  type Presence,
  Refused,
  type Reply,
  type User,
  type View,
} from "./api.ts";
import { words } from "./words.ts";

const PAGE = 50;
const WAIT_S = 25;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const PRESENT_MS = 10_000;
/** How far back a found message is looked for, in pages. */
const MOST_PAGES = 40;

export const me = signal<User | undefined>(undefined);
export type Place = "list" | "canned" | "dead" | "users" | "numbers";
export const place = signal<Place>("list");
export const view = signal<View>("held");
export const query = signal("");
/** Which conversations of the view are shown. */
export const filter = signal<{ readonly channel: string; readonly unread: boolean }>({
  channel: "",
  unread: false,
});
/** Messages that the search has found. */
export const found = signal<readonly Found[]>([]);
/** The message that a search has led to. */
export const sought = signal<string | undefined>(undefined);
export const rows = signal<readonly Conversation[]>([]);
export const counts = signal<Counts | undefined>(undefined);
export const openKey = signal<string | undefined>(undefined);
export const beside = signal<Beside | undefined>(undefined);
export const thread = signal<readonly Message[]>([]);
export const hasEarlier = signal(false);
export const letters = signal<readonly DeadLetter[]>([]);
export const presence = signal<readonly Presence[]>([]);
export const users = signal<readonly User[]>([]);
export const canned = signal<readonly Canned[]>([]);
export const draft = signal("");
export const mode = signal<"reply" | "note">("reply");
/** The own message that is being edited. */
export const editing = signal<Message | undefined>(undefined);
/** Where the next reply goes. Undefined: where the customer wrote last. */
export const channelFor = signal<string | undefined>(undefined);
export const isOffline = signal(false);
/** There is no room for the customer beside the conversation: as in desk.css. */
const narrow = matchMedia("(max-width: 70rem)");
export const isNarrow = signal(narrow.matches);
narrow.addEventListener("change", () => (isNarrow.value = narrow.matches));
/** Whether the customer is shown over the conversation. */
export const showsCustomer = signal(false);
/** Who has answered since this page looked, and what was to be sent. */
export const collision = signal<
  { readonly name: string; readonly replies: readonly Reply[]; readonly isWritten: boolean } | undefined
>(undefined);

/** Where the next reply goes, and whether only a template reaches the customer there. */
export const target = computed(() => {
  const channel = channelFor.value ?? beside.value?.conversation.channel ?? undefined;
  const window = beside.value?.windows.find((one) => one.channel === channel);
  const isClosed =
    window !== undefined && (window.closes_at === null || Date.parse(window.closes_at) < clock.value);
  return { channel, isClosed };
});
export const others = computed(() => presence.value.filter((one) => one.customer_key === openKey.value));

/** The time, to the minute: windows close while one looks. */
const clock = signal(Date.now());
setInterval(() => (clock.value = Date.now()), 30_000);

let listCursor: string | null = null;
let changesCursor: string | undefined;
let epoch: string | undefined;
let running: AbortController | undefined;
const drafts = new Map<string, string>();

export const path = (rest = "") => `/api/conversations/${openKey.value}${rest}`;

/** Goes on after a sign-in, or with the token that the tab has kept. */
export async function begin(): Promise<void> {
  if (!isSignedIn()) return;
  try {
    me.value = await call<User>("/api/staff/me");
    const [staff, replies] = await Promise.all([
      call<{ users: User[] }>("/api/users"),
      call<{ canned_replies: Canned[] }>("/api/canned-replies"),
    ]);
    users.value = staff.users;
    canned.value = replies.canned_replies;
    await loadList();
  } catch (error) {
    report(error);
    return;
  }
  running?.abort();
  running = new AbortController();
  void follow(running.signal);
}

export function leave(): void {
  running?.abort();
  keepToken(null);
  batch(() => {
    me.value = undefined;
    openKey.value = undefined;
    beside.value = undefined;
    thread.value = [];
    rows.value = [];
    draft.value = "";
    letters.value = [];
    found.value = [];
    query.value = "";
    editing.value = undefined;
    collision.value = undefined;
    place.value = "list";
  });
  drafts.clear();
  changesCursor = undefined;
}

export async function signOut(): Promise<void> {
  await call("/api/staff/sign-out", { body: {} }).catch(() => {});
  leave();
}

/** Says what went wrong; a sign-in that is over leads back to it. */
export function report(error: unknown): void {
  const { code, details } = error instanceof Refused ? error : new Refused("failed");
  if (code === "unauthorized") {
    leave();
    showToast(words.say("signedOut"));
  } else if (code === "conversation_taken") {
    const { user } = details as { user: User };
    showToast(words.say("taken", { name: user.name }), {
      label: words.say("takeFrom", { name: user.name }),
      run: () => void act("take", { from: user.user_id }),
    });
  } else showToast(words.say(code === "offline" ? "offline" : "failed"));
}

function listPath(after?: string): string {
  const params = new URLSearchParams({ view: view.value, limit: String(PAGE) });
  if (query.value.trim() !== "") params.set("q", query.value.trim());
  if (filter.value.channel !== "") params.set("channel", filter.value.channel);
  if (filter.value.unread) params.set("unread", "true");
  if (after !== undefined) params.set("after", after);
  return `/api/conversations?${params}`;
}

interface ListPage {
  conversations: Conversation[];
  counts: Counts;
  cursor: string | null;
}

let listing = 0;

/** Reads the list from its beginning. Rows that were loaded beyond the first page stay behind it. */
export async function loadList(keep = false): Promise<void> {
  const mine = ++listing;
  const page = await call<ListPage>(listPath());
  if (mine !== listing) return;
  const fresh = new Set(page.conversations.map(({ customer_key }) => customer_key));
  const rest =
    keep && page.cursor !== null ? rows.value.slice(PAGE).filter((one) => !fresh.has(one.customer_key)) : [];
  if (rest.length === 0) listCursor = page.cursor;
  batch(() => {
    rows.value = [...page.conversations, ...rest];
    counts.value = page.counts;
  });
}

let loadingMore = false;
/** Counts the lists that were asked for: a page of an earlier one is dropped. */
let shown = 0;

export async function loadMore(): Promise<void> {
  if (loadingMore || listCursor === null) return;
  loadingMore = true;
  const mine = shown;
  try {
    const page = await call<ListPage>(listPath(listCursor));
    if (mine !== shown) return;
    listCursor = page.cursor;
    const known = new Set(rows.value.map(({ customer_key }) => customer_key));
    rows.value = [...rows.value, ...page.conversations.filter((one) => !known.has(one.customer_key))];
  } catch (error) {
    report(error);
  } finally {
    loadingMore = false;
  }
}

export async function show(next: {
  view?: View;
  query?: string;
  filter?: Partial<(typeof filter)["value"]>;
}): Promise<void> {
  const mine = ++shown;
  listCursor = null;
  batch(() => {
    if (next.view) view.value = next.view;
    if (next.query !== undefined) query.value = next.query;
    if (next.filter) filter.value = { ...filter.value, ...next.filter };
    rows.value = [];
    found.value = [];
  });
  const words = query.value.trim();
  const messages = async () => {
    if (words === "") return;
    const params = new URLSearchParams({ q: words, limit: "20" });
    if (filter.value.channel !== "") params.set("channel", filter.value.channel);
    const { results } = await call<{ results: Found[] }>(`/api/search/messages?${params}`);
    if (mine === shown) found.value = results;
  };
  await Promise.all([loadList(), messages()]).catch(report);
}

interface Thread {
  messages: Message[];
  more: boolean;
  epoch: string;
  customer_key: string;
}

/** Opens a conversation: its newest messages, and the customer beside it. */
export async function open(key: string | undefined): Promise<void> {
  if (openKey.value !== undefined) drafts.set(openKey.value, draft.value);
  batch(() => {
    openKey.value = key;
    beside.value = undefined;
    thread.value = [];
    letters.value = [];
    hasEarlier.value = false;
    mode.value = "reply";
    editing.value = undefined;
    channelFor.value = undefined;
    sought.value = undefined;
    showsCustomer.value = false;
    draft.value = (key !== undefined && drafts.get(key)) || "";
  });
  if (key === undefined) return;
  try {
    await Promise.all([loadThread(), loadBeside()]);
    await Promise.all([markSeen(), say(false)]);
  } catch (error) {
    if (openKey.value === key) report(error);
  }
}

/** Opens a conversation at one of its messages: reads back until it is there. */
export async function openAt(key: string, message_id: string): Promise<void> {
  await open(key);
  for (let pages = 0; pages < MOST_PAGES && hasEarlier.value && openKey.value === key; pages++) {
    if (thread.value.some((one) => one.message_id === message_id)) break;
    await loadEarlier().catch(report);
  }
  if (openKey.value === key) sought.value = message_id;
}

async function loadThread(): Promise<void> {
  const key = openKey.value;
  const page = await call<Thread>(path(`/messages?limit=${PAGE}`));
  if (openKey.value !== key) return;
  epoch = page.epoch;
  batch(() => {
    // The customer has become one with another, who has the conversation now.
    openKey.value = page.customer_key;
    thread.value = page.messages;
    hasEarlier.value = page.more;
  });
}

export async function loadEarlier(): Promise<void> {
  const key = openKey.value;
  const first = thread.value[0]?.seq;
  if (first === undefined) return;
  const page = await call<Thread>(path(`/messages?limit=${PAGE}&before=${first}`));
  if (openKey.value !== key) return;
  batch(() => {
    thread.value = [...page.messages, ...thread.value.filter(({ seq }) => seq >= first)];
    hasEarlier.value = page.more;
  });
}

export async function loadBeside(): Promise<void> {
  const key = openKey.value;
  const [now, dead] = await Promise.all([
    call<Beside>(path()),
    call<{ dead_letters: DeadLetter[] }>(path("/dead-letters")),
  ]);
  if (openKey.value !== key) return;
  batch(() => {
    beside.value = now;
    letters.value = dead.dead_letters;
  });
}

/** Reads what is new in the open thread, page after page, and the newest ones again: their status may have moved. */
export async function catchUp(): Promise<void> {
  const key = openKey.value;
  if (key === undefined) return;
  let last = thread.value.at(-1)?.seq ?? 0;
  for (let more = true; more; ) {
    const page = await call<Thread>(path(`/messages?limit=200&after=${last}`));
    if (openKey.value !== key) return;
    if (page.epoch !== epoch) return loadThread();
    if (page.messages.length > 0) thread.value = merged(thread.value, page.messages);
    for (const { kind, reply_to } of page.messages) if (isChange(kind)) await readAgain(reply_to);
    more = page.more;
    last = page.messages.at(-1)?.seq ?? last;
  }
  const newest = await call<Thread>(path("/messages?limit=20"));
  if (openKey.value === key) thread.value = merged(thread.value, newest.messages);
}

/** Reads a message that has been changed. */
async function readAgain(message_id: string | null): Promise<void> {
  const seq = thread.value.find((one) => one.message_id === message_id)?.seq;
  if (seq === undefined) return;
  const key = openKey.value;
  const page = await call<Thread>(path(`/messages?limit=1&before=${seq + 1}`));
  if (openKey.value === key) take(page.messages);
}

/** Puts messages into the open thread, each once. */
export function take(messages: readonly Message[]): void {
  thread.value = merged(thread.value, messages);
}

function merged(old: readonly Message[], more: readonly Message[]): Message[] {
  const byId = new Map(old.map((one) => [one.message_id, one]));
  const first = old[0]?.seq ?? 0;
  for (const one of more) if (one.seq >= first) byId.set(one.message_id, one);
  return [...byId.values()].sort((a, b) => a.seq - b.seq);
}

/** Follows the changes of the hub until the page is left. After a break everything that is shown is read again. */
async function follow(signal: AbortSignal): Promise<void> {
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      const params = new URLSearchParams({ wait: changesCursor === undefined ? "0" : String(WAIT_S) });
      if (changesCursor !== undefined) params.set("after", changesCursor);
      const changes = await call<{
        cursor: string;
        conversations: string[];
        presence: Presence[];
        counts: Counts | null;
      }>(`/api/conversations/changes?${params}`, { signal });
      if (signal.aborted) return;
      const isBack = isOffline.value;
      changesCursor = changes.cursor;
      batch(() => {
        isOffline.value = false;
        presence.value = changes.presence;
        if (changes.counts) counts.value = changes.counts;
      });
      pause = FIRST_PAUSE_MS;
      const concerns = openKey.value !== undefined && changes.conversations.includes(openKey.value);
      // The open thread first: it is what somebody reads.
      if (concerns || isBack) await catchUp();
      if (changes.conversations.length > 0 || isBack)
        await Promise.all([loadList(true), ...(concerns || isBack ? [loadBeside(), markSeen()] : [])]);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.code === "unauthorized") return report(error);
      isOffline.value = true;
      await new Promise((go) => setTimeout(go, pause * (0.5 + Math.random())));
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }
}

async function markSeen(): Promise<void> {
  const now = beside.value?.conversation;
  if (now && now.unread > 0 && now.user?.user_id === me.value?.user_id && document.hasFocus())
    await call(path("/seen"), { body: {} });
}

let present = 0;
/** Says that one looks at the open conversation, and whether one types; at most as often as it is needed. */
export async function say(typing: boolean): Promise<void> {
  if (openKey.value === undefined) return;
  present = Date.now();
  await call(path("/presence"), { method: "PUT", body: { typing } }).catch(() => {});
}
let typed = 0;
export function type(text: string): void {
  draft.value = text;
  if (mode.value !== "reply" || editing.value || text === "" || Date.now() - typed < 4_000) return;
  typed = Date.now();
  void say(true);
}
setInterval(() => {
  if (me.value && document.visibilityState === "visible" && Date.now() - present > PRESENT_MS)
    void say(false);
}, PRESENT_MS / 2);

export type Action = "take" | "assign" | "give-back" | "close" | "snooze";

export async function act(action: Action, body: object = {}): Promise<void> {
  const mine = beside.value?.conversation.user;
  const from =
    mine && mine.user_id !== me.value?.user_id && action === "assign" ? { from: mine.user_id } : {};
  try {
    await call(path(`/${action}`), { body: { ...from, ...body } });
    await Promise.all([loadBeside(), loadList(true)]);
  } catch (error) {
    report(error);
  }
}

export async function retry(id: string): Promise<void> {
  try {
    await call(path(`/dead-letters/${id}/retry`), { body: {} });
    await loadBeside();
  } catch (error) {
    report(error);
  }
}

export async function removeNote(note_id: string): Promise<void> {
  try {
    await call(path(`/notes/${note_id}`), { method: "DELETE" });
    await loadBeside();
  } catch (error) {
    report(error);
  }
}

/** Changes the customer's tags. If a colleague has changed the customer meanwhile, it is tried again on what is there now. */
export async function saveTags(change: (now: readonly string[]) => readonly string[]): Promise<boolean> {
  const key = openKey.value;
  for (let tries = 1; ; tries++) {
    const { tags, version } = beside.value!.customer;
    try {
      await call(`/api/customers/${key}`, { method: "PATCH", body: { tags: change(tags) }, version });
      await loadBeside();
      return true;
    } catch (error) {
      const isOld = error instanceof Refused && error.code === "version_conflict";
      if (!isOld || tries === 3) {
        report(error);
        return false;
      }
      await loadBeside();
      if (openKey.value !== key) return false;
    }
  }
}
