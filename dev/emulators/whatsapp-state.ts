import { createHmac } from "node:crypto";
import type { Fields } from "./fields.ts";
import { createFiles, type Files } from "./files.ts";
import { createKeep, type Keep, type Table } from "./keep.ts";
import { createPacer } from "./pacer.ts";
import { createSentLog, type SentLog } from "./sent.ts";
import type { Watch } from "./watch.ts";
import { createDeliveries, type Deliveries, type DeliverySettings } from "./webhook.ts";
import { type Customers, createCustomers } from "./whatsapp-customers.ts";
import { type GraphError, graphError } from "./whatsapp-error.ts";
import type { EmulatedTemplate } from "./whatsapp-templates.ts";

export interface WhatsAppOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly accessToken: string;
  readonly appSecret: string;
  readonly verifyToken: string;
  readonly phoneNumberId: string;
  readonly displayPhoneNumber?: string;
  /** The app's id, for the calls that manage it. */
  readonly appId?: string;
  /** The directory for its state, which survives restarts. Without it the state is in memory only. */
  readonly dir?: string;
  readonly webhookUrl?: string;
  /** Default v25.0. Another version in the path is refused. */
  readonly apiVersion?: string;
  /** Meta's pace: one message per 6 s to one customer (45 at once) and 80/s overall. Default false. */
  readonly limits?: boolean;
  /** Whether `sent` and `delivered` follow each message. Default true. */
  readonly statuses?: boolean;
  readonly statusDelayMs?: number;
  /**
   * Whether only customers who wrote in the last 24 h get more than templates, and only known messages can be marked
   * read. Default true.
   */
  readonly strict?: boolean;
  /** Where error 131047 appears: in the API's answer (default), or as a `failed` status after a success. */
  readonly windowErrors?: "answer" | "status";
  /** How many calls `GET /_sent` keeps. Default 100,000. */
  readonly keep?: number;
  readonly delivery?: Partial<DeliverySettings>;
  /** Is shown what the emulator does, as it happens. */
  readonly watch?: Watch;
}

export interface WhatsApp {
  readonly accessToken: string;
  readonly verifyToken: string;
  readonly phoneNumberId: string;
  readonly displayPhoneNumber: string;
  readonly accountId: string;
  readonly appId: string;
  readonly appSecret: string;
  readonly apiVersion: string;
  readonly settings: {
    limits: boolean;
    statuses: boolean;
    statusDelayMs: number;
    strict: boolean;
    windowErrors: string;
    /** How far the platform's clock is ahead of this machine's, in ms: a day later the windows of today are closed. */
    aheadMs: number;
    /** Whether the account may use Direct Send: `category: utility` outside the window. */
    directSend: boolean;
    webhookUrl: string;
    /** The access token's permissions, comma-separated. */
    tokenScopes: string;
    /** When the access token ends, in seconds since 1970; 0 for never. */
    tokenExpiresAt: number;
    /** The number's quality rating: GREEN, YELLOW, RED or UNKNOWN. */
    quality: string;
  };
  /** What the management calls have set. */
  readonly management: {
    isSubscribed: boolean;
    override: string | undefined;
    subscription: Fields | undefined;
  };
  readonly customers: Customers;
  readonly sent: SentLog;
  readonly deliveries: Deliveries;
  /** The customers' messages, which can be marked read, and their senders. */
  readonly received: Table<string>;
  readonly media: Table<Fields>;
  /** By name and language. */
  readonly templates: Table<EmulatedTemplate>;
  /** The bytes of files, by their ids. */
  readonly bytes: Files;
  readonly keep: Keep;
  /** The platform's clock, in ms since 1970. */
  now(): number;
  /** The error if a message to that recipient breaks a rate limit. Otherwise undefined, and the message is counted. */
  pace(recipient: string): GraphError | undefined;
}

const KEPT_RECEIVED = 100_000;
const KEPT_MEDIA = 50_000;

export function createWhatsApp(options: WhatsAppOptions): WhatsApp {
  const settings = {
    limits: options.limits ?? false,
    statuses: options.statuses ?? true,
    statusDelayMs: options.statusDelayMs ?? 20,
    strict: options.strict ?? true,
    windowErrors: options.windowErrors ?? "answer",
    aheadMs: 0,
    directSend: false,
    webhookUrl: options.webhookUrl ?? "",
    tokenScopes: "whatsapp_business_management,whatsapp_business_messaging",
    tokenExpiresAt: 0,
    quality: "GREEN",
  };
  const keep = createKeep(options.dir);
  const pairPace = createPacer({ intervalMs: 6_000, burst: 45 });
  const overallPace = createPacer({ intervalMs: 1_000 / 80, burst: 80 });
  return {
    accessToken: options.accessToken,
    verifyToken: options.verifyToken,
    phoneNumberId: options.phoneNumberId,
    displayPhoneNumber: options.displayPhoneNumber ?? "15550001111",
    accountId: "102290129340398",
    appId: options.appId ?? "670843887433847",
    appSecret: options.appSecret,
    management: { isSubscribed: false, override: undefined, subscription: undefined },
    apiVersion: options.apiVersion ?? "v25.0",
    settings,
    customers: createCustomers(keep),
    sent: createSentLog(options.keep ?? 100_000, keep, (entry) => options.watch?.({ what: "sent", entry })),
    deliveries: createDeliveries(
      {
        url: () => settings.webhookUrl || undefined,
        headers: (body) => ({
          "x-hub-signature-256": `sha256=${createHmac("sha256", options.appSecret).update(body).digest("hex")}`,
        }),
        accepts: (status) => status === 200,
        obeysRetryAfter: false,
        watch: options.watch,
      },
      keep,
      options.delivery,
    ),
    received: keep.table("received", KEPT_RECEIVED),
    media: keep.table("media", KEPT_MEDIA),
    templates: keep.table("templates"),
    now: () => Date.now() + settings.aheadMs,
    bytes: createFiles(options.dir),
    keep,
    pace(recipient) {
      if (!settings.limits) return undefined;
      const now = Date.now();
      if (overallPace.wait("all", now) > 0) return graphError(130429);
      if (pairPace.wait(recipient, now) > 0) return graphError(131056);
      overallPace.take("all", now);
      pairPace.take(recipient, now);
    },
  };
}
