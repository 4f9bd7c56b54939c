import type { Channel } from "../channel.ts";
import { toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { withTimeout } from "../timeout.ts";
import type { Turn } from "./turn.ts";

/** A bot's answer so far, shown to the customer while the bot goes on. It is never saved: the answer itself takes its place. */
export interface Draft {
  /**
   * Shows the answer so far: the whole text, not what is new. Returns at once and never throws. Of several calls in a short time only the last
   * one is shown.
   */
  show(text: string, format?: Format): void;
}

type Format = "plain" | "markdown";

/** A draft in the hands of the hub. */
export interface OpenDraft extends Draft {
  /**
   * Shows nothing more. Resolves when no call to the platform is under way: one that came after the answer would show the draft again.
   */
  stop(): Promise<void>;
  /** After `stop`: takes the draft away from connected devices. With `again` the customer sees that the bot goes on thinking. */
  withdraw(again?: boolean): Promise<void>;
}

/** The longest draft, in UTF-16 units. What comes after it is in the answer only. */
export const DRAFT_CHARACTERS = 32_768;
/** The least time between two drafts on connected devices. */
const LIVE_MS = 200;
/** The least time between two drafts on a platform, and before the first one: a short answer needs none. */
const PLATFORM_MS = 1_000;
/** The time limit of one call to a platform. */
const CALL_MS = 3_000;

interface Shown {
  readonly text: string;
  readonly format: Format | undefined;
}

/**
 * The draft of one attempt at a turn: on connected devices several times a second, on a platform that shows drafts once a second. It is best effort:
 * after the first failure the platform gets no more drafts of this attempt. `spoke` is called after each call to the platform.
 */
export function openDraft(hub: Hub, turn: Turn, spoke: () => void = () => {}): OpenDraft {
  const { session, message, attempt, channel: name, turn_id } = turn;
  const { session_id } = session;
  const channel = hub.channels[name];
  let latest: Shown | undefined;
  let failed = false;

  const publish = ({ text, format }: Shown) =>
    hub.live.publish(session_id, {
      type: "draft",
      channel: name,
      reply_to: message.message_id,
      seq: message.seq,
      attempt,
      text,
      ...(format && { format }),
    });

  async function call(shown: Shown): Promise<void> {
    if (failed || !channel?.showDraft) return;
    try {
      await show(channel, turn, shown);
      spoke();
    } catch (thrown) {
      failed = true;
      const { code, reason } = toHubError(thrown);
      hub.log("warn", "draft.failed", { turn_id, session_id, channel: name, code, reason });
    }
  }

  const live = paced(hub, LIVE_MS, 0, async (shown) => publish(shown));
  const platform = paced(hub, PLATFORM_MS, PLATFORM_MS, call);
  return {
    show(text, format) {
      const whole = shownPart(text);
      if (whole.trim() === "") return;
      latest = { text: whole, format };
      live.show(latest);
      if (channel?.showDraft) platform.show(latest);
    },
    async stop() {
      await Promise.all([live.stop(), platform.stop()]);
    },
    async withdraw(again = false) {
      if (!latest) return;
      publish({ text: "", format: undefined });
      if (again && platform.hasShown()) await call({ text: "", format: undefined });
    },
  };
}

/** The beginning of a text, without half a character at its end. */
function shownPart(text: string): string {
  return text
    .slice(0, DRAFT_CHARACTERS)
    .replace(/[\uD800-\uDBFF]$/, "")
    .toWellFormed();
}

function show(channel: Channel, { address, turn_id }: Turn, { text, format }: Shown): Promise<void> {
  return withTimeout(CALL_MS, "draft_timeout", (signal) =>
    channel.showDraft!(address, { id: turn_id, text, ...(format && { format }) }, signal),
  );
}

/** Hands the newest value over, at most every `everyMs`, the first one after `firstMs`. */
function paced(
  { sleep }: Pick<Hub, "sleep">,
  everyMs: number,
  firstMs: number,
  put: (value: Shown) => Promise<void>,
) {
  const { promise: stopped, resolve: end } = Promise.withResolvers<void>();
  let isStopped = false;
  let newest: Shown | undefined;
  let shown: Shown | undefined;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    if (!shown && firstMs > 0) await Promise.race([sleep(firstMs), stopped]);
    while (!isStopped && newest && newest !== shown) {
      shown = newest;
      await put(shown);
      await Promise.race([sleep(everyMs), stopped]);
    }
    running = undefined;
  }

  return {
    show(value: Shown) {
      newest = value;
      if (!isStopped) running ??= run();
    },
    hasShown: () => shown !== undefined,
    async stop() {
      isStopped = true;
      end();
      await running;
    },
  };
}
