import type { Fields } from "./fields.ts";
import { createFiles, type Files } from "./files.ts";
import { createKeep, type Keep, type Table } from "./keep.ts";
import { createPacer, type Pacer } from "./pacer.ts";
import { createSentLog, type SentLog } from "./sent.ts";
import { type Business, createBusiness } from "./telegram-business.ts";
import { type Chat, type Chats, createChats } from "./telegram-chats.ts";
import { refuse, tooMany } from "./telegram-refusal.ts";
import type { Watch } from "./watch.ts";
import { createDeliveries, type Deliveries, type DeliverySettings } from "./webhook.ts";

export interface TelegramOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly token: string;
  /** The directory for its state, which survives restarts. Without it the state is in memory only. */
  readonly dir?: string;
  readonly webhookUrl?: string;
  readonly webhookSecret?: string;
  readonly botUsername?: string;
  /** Telegram's pace: 1 message/s per chat (5 at once), 20/min per group, 30/s overall. Default false. */
  readonly limits?: boolean;
  /** Whether calls are refused for chats that never wrote, unknown messages and unknown queries. Default true. */
  readonly strict?: boolean;
  /** How many calls `GET /_sent` keeps. Default 100,000. */
  readonly keep?: number;
  readonly delivery?: Partial<DeliverySettings>;
  /** Is shown what the emulator does, as it happens. */
  readonly watch?: Watch;
  /** The first ids. By default they are higher than in any earlier run, so that an old database does not know them. */
  readonly firstUpdateId?: number;
  readonly firstMessageId?: number;
}

export interface Telegram {
  readonly token: string;
  readonly bot: Fields;
  readonly settings: {
    limits: boolean;
    strict: boolean;
    /** How far the platform's clock is ahead of this machine's, in ms. */
    aheadMs: number;
  };
  readonly chats: Chats;
  /** The accounts to which users have connected the bot. */
  readonly business: Business;
  readonly sent: SentLog;
  readonly deliveries: Deliveries;
  readonly webhook: { url: string; secret: string; allowed: readonly string[] | undefined };
  /** Callback queries that wait for `answerCallbackQuery`, with their chat. */
  readonly queries: Table<number>;
  readonly files: Table<Fields>;
  /** The bytes of files, by their ids. */
  readonly bytes: Files;
  readonly keep: Keep;
  nextUpdateId(): number;
  /** Counts one message. Refuses with 403 if the customer has blocked the bot, with 429 if the bot is too fast. */
  admit(chat: Chat): void;
}

const KEPT_QUERIES = 10_000;
const KEPT_FILES = 50_000;
const LOCAL_EPOCH_S = 1_735_689_600; // the year 2025: ids stay within int32, and rise over restarts

export function createTelegram(options: TelegramOptions): Telegram {
  const settings = { limits: options.limits ?? false, strict: options.strict ?? true, aheadMs: 0 };
  const webhook: Telegram["webhook"] = {
    url: options.webhookUrl ?? "",
    secret: options.webhookSecret ?? "",
    allowed: undefined,
  };
  const firstMessageId = options.firstMessageId ?? Math.floor(Date.now() / 1000) - LOCAL_EPOCH_S;
  const keep = createKeep(options.dir);
  const numbers = keep.table<number>("numbers");
  let updateId =
    numbers.get("update_id") ?? (options.firstUpdateId ?? 100_000_000 + Math.floor(Math.random() * 1e9)) - 1;
  return {
    token: options.token,
    bot: {
      id: Number.parseInt(options.token, 10) || 1,
      is_bot: true,
      first_name: "Hub",
      username: options.botUsername ?? "hub_bot",
    },
    settings,
    webhook,
    chats: createChats(firstMessageId, () => settings.strict, keep),
    business: createBusiness(keep, firstMessageId),
    sent: createSentLog(options.keep ?? 100_000, keep, (entry) => options.watch?.({ what: "sent", entry })),
    deliveries: createDeliveries(
      {
        url: () => webhook.url || undefined,
        headers: (): Record<string, string> =>
          webhook.secret ? { "x-telegram-bot-api-secret-token": webhook.secret } : {},
        accepts: (status) => status >= 200 && status < 300,
        obeysRetryAfter: true,
        watch: options.watch,
      },
      keep,
      { ordered: true, ...options.delivery },
    ),
    queries: keep.table("queries", KEPT_QUERIES),
    files: keep.table("files", KEPT_FILES),
    bytes: createFiles(options.dir),
    keep,
    nextUpdateId() {
      numbers.set("update_id", ++updateId);
      return updateId;
    },
    admit: createAdmission(settings),
  };
}

function createAdmission(settings: Telegram["settings"]): Telegram["admit"] {
  const chatPace = createPacer({ intervalMs: 1_000, burst: 5 });
  const groupPace = createPacer({ intervalMs: 3_000, burst: 20 });
  const overallPace = createPacer({ intervalMs: 1_000 / 30, burst: 30 });
  return (chat) => {
    const { id } = chat.info;
    if (chat.blocked)
      refuse(
        403,
        id > 0 ? "Forbidden: bot was blocked by the user" : "Forbidden: bot was kicked from the group chat",
      );
    if (!settings.limits) return;
    const now = Date.now();
    const paces: [Pacer, string | number][] = [
      [id > 0 ? chatPace : groupPace, id],
      [overallPace, "all"],
    ];
    const wait = Math.max(...paces.map(([pacer, key]) => pacer.wait(key, now)));
    if (wait > 0) tooMany(Math.ceil(wait / 1000));
    for (const [pacer, key] of paces) pacer.take(key, now);
  };
}
