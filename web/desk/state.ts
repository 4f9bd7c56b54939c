import { batch, computed, signal } from "@preact/signals";
import { showToast } from "../kit/components/toasts.tsx";
import {
  type Beside,
  type Canned,
  type Conversation,
  type Counts,
  call,
  type DeadLetter,
  isSignedIn,
  keepToken,
  type Message,
  type Presence,
  Refused,
  type User,
  type View,
} from "./api.ts";
import { words } from "./words.ts";

const PAGE = 50;
const WAIT_S = 25;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const PRESENT_MS = 10_000;
const TRIES = 3;

export const me = signal<User | undefined>(undefined);
export const place = signal<"list" | "numbers">("list");
export const view = signal<View>("held");
export const query = signal("");
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
export const isOffline = signal(false);
/** Who has answered since this page looked, and what was to be sent. */
export const collision = signal<{ name: string; replies: unknown[] } | undefined>(undefined);

export const others = computed(() => presence.value.filter((one) => one.customer_key === openKey.value));

let listCursor: string | null = null;
let changesCursor: string | undefined;
let epoch: string | undefined;
let running: AbortController | undefined;
const drafts = new Map<string, string>();

const path = (rest = "") => `/api/conversations/${openKey.value}${rest}`;

/** Goes on after a sign-in, or with the token that the tab has kept. */
export async function begin(): Promise<void> {
  if (!isSignedIn()) return;
  try {
    me.value = await call<User>("/api/staff/me");
    const [staff, replies] = await Promise.all([
      call<{ users: User[] }>("/api/users"),
      call<{ canned_replies: Canned[] }>("/api/canned-replies"),
    ]);
    users.value = staff.users.filter(({ disabled }) => !disabled);
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

export async function show(next: { view?: View; query?: string }): Promise<void> {
  shown++;
  listCursor = null;
  batch(() => {
    if (next.view) view.value = next.view;
    if (next.query !== undefined) query.value = next.query;
    rows.value = [];
  });
  await loadList().catch(report);
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

async function loadThread(): Promise<void> {
  const key = openKey.value;
  const page = await call<Thread>(path(`/messages?limit=${PAGE}`));
  if (openKey.value !== key) return;
  epoch = page.epoch;
  batch(() => {
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

async function loadBeside(): Promise<void> {
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
async function catchUp(): Promise<void> {
  const key = openKey.value;
  if (key === undefined) return;
  let last = thread.value.at(-1)?.seq ?? 0;
  for (let more = true; more; ) {
    const page = await call<Thread>(path(`/messages?limit=200&after=${last}`));
    if (openKey.value !== key) return;
    if (page.epoch !== epoch) return loadThread();
    if (page.messages.length > 0) thread.value = merged(thread.value, page.messages);
    more = page.more;
    last = page.messages.at(-1)?.seq ?? last;
  }
  const newest = await call<Thread>(path("/messages?limit=20"));
  if (openKey.value === key) thread.value = merged(thread.value, newest.messages);
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
  if (mode.value !== "reply" || text === "" || Date.now() - typed < 4_000) return;
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

/** Sends what is written: a reply or a note. What could not be sent stays in the composer. */
export async function send(text: string): Promise<void> {
  if (mode.value === "note") return addNote(text);
  await reply([{ kind: "text", text }]);
}

export async function reply(replies: unknown[], anyway = false): Promise<void> {
  const before = draft.value;
  const key = crypto.randomUUID();
  const opened = openKey.value;
  // Somebody may open another conversation while this one is sent.
  const to = path("/messages");
  const seen = thread.value.at(-1)?.seq ?? 0;
  draft.value = "";
  const body = { replies, ...(!anyway && { seen }) };
  for (let tries = 1; ; tries++) {
    try {
      await call(to, { body, key });
      break;
    } catch (error) {
      if (error instanceof Refused && error.code === "offline" && tries < TRIES) {
        await new Promise((go) => setTimeout(go, FIRST_PAUSE_MS * tries));
        continue;
      }
      if (openKey.value === opened) draft.value = before;
      if (error instanceof Refused && error.code === "answered_since")
        collision.value = { name: error.details.user?.name ?? words.say("bot"), replies };
      else if (error instanceof Refused && error.code === "offline") showToast(words.say("notSent"));
      else report(error);
      return;
    }
  }
  await Promise.all([catchUp(), loadBeside()]).catch(report);
}

async function addNote(text: string): Promise<void> {
  const mentions = users.value.filter(({ name }) => text.includes(`@${name}`)).map(({ user_id }) => user_id);
  try {
    await call(path("/notes"), { body: { text, mentions } });
    draft.value = "";
    await loadBeside();
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
