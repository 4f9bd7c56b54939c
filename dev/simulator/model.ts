/** The four devices of a person. */
export const DEVICES = ["telegram", "whatsapp", "kiosk", "web"] as const;
export type DeviceName = (typeof DEVICES)[number];

/** A customer whom the simulator plays: their numbers, and the shop's own id for them. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly customer_id: string;
  /** E.164; typed at the kiosk and known to the shop, and in the contact card of Telegram. */
  phone: string;
  /** The account on WhatsApp, digits only. Another one than `phone` after a change of numbers. */
  whatsapp: string;
  telegram: number;
}

/** A choice on a bubble: a button, or a row of a list. `tap` is the platform's own data for it; a link has `url`. */
export interface Choice {
  readonly title: string;
  readonly tap?: string;
  readonly url?: string;
  readonly description?: string;
  readonly section?: string;
}

/** A part of a text that is shown differently, in UTF-16 units, by Telegram's names. */
export interface Mark {
  readonly type: string;
  readonly offset: number;
  readonly length: number;
  readonly url?: string;
}

/** One message as a device shows it. */
export interface Bubble {
  /** The platform's id of the message. */
  readonly id: string;
  readonly by: "customer" | "hub";
  /** In ms since 1970, by this machine's clock. */
  readonly at: number;
  readonly kind: string;
  readonly text?: string;
  readonly marks?: readonly Mark[];
  /** Of a kiosk or web page: whether the text is in the hub's small markup. */
  readonly format?: string;
  /** `url` is where a browser finds the file, if anywhere. */
  readonly media?: {
    readonly url?: string;
    readonly name?: string;
    readonly type?: string;
    /** How long a recording lasts. */
    readonly seconds?: number;
  };
  readonly location?: {
    readonly latitude: number;
    readonly longitude: number;
    readonly name?: string;
    readonly address?: string;
  };
  readonly contacts?: readonly { readonly name: string; readonly phones: readonly string[] }[];
  readonly header?: string;
  readonly footer?: string;
  /** The rows of the keyboard under it. */
  readonly buttons?: readonly (readonly Choice[])[];
  /** Rows behind a button, as on WhatsApp. */
  readonly list?: { readonly button: string; readonly rows: readonly Choice[] };
  readonly cards?: readonly {
    readonly title: string;
    readonly text?: string;
    readonly image?: string;
    readonly buttons: readonly Choice[];
  }[];
  readonly reply_to?: string;
  /** On a kiosk or web page: the other channel on which it was said. */
  readonly from?: string;
  /** Of the customer's own messages: how far they came. `sent`: not acknowledged by the hub yet. */
  readonly tick?: "sent" | "delivered" | "read" | "failed";
  readonly edited?: boolean;
  readonly pinned?: boolean;
  readonly deleted?: boolean;
  readonly reactions?: { readonly customer?: string; readonly hub?: string };
}

/** What one device shows. */
export interface Screen {
  readonly device: DeviceName;
  /** The chat, the number, or the person's id. */
  readonly address: string;
  bubbles: Bubble[];
  /** When the "typing" line goes away, in ms since 1970; absent: nobody types. */
  typing_until?: number;
  blocked?: boolean;
  /** A short line over the chat, such as the answer to a tap. */
  toast?: string;
  /** Of a kiosk or web page: whether it holds a session, and the hub's code if it lost it. */
  open?: boolean;
  ended?: string;
  /** Of a kiosk or web page: how often it was opened by an act. Each time its frame is loaded anew. */
  opens?: number;
}

/** An exchange on the wire: a webhook and its answer, or a call of a platform's or the hub's API and its answer. */
export interface Wire {
  readonly n: number;
  readonly at: number;
  readonly device: DeviceName;
  readonly kind: "webhook" | "call" | "page";
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  /** Absent while nothing was answered; 0: the connection was closed. */
  readonly status?: number;
  readonly answer?: string;
  readonly ms?: number;
  readonly request_id?: string;
}

/** One line of the hub's log. */
export interface LogLine {
  readonly n: number;
  readonly at: number;
  readonly level: string;
  readonly event: string;
  readonly request_id?: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A fault that is armed, and how often it was used. `left` is absent for one that lasts until it is disarmed. */
export interface ArmedFault {
  readonly id: string;
  readonly target: "telegram" | "whatsapp" | "bot" | "database" | "cache";
  readonly effect: "429" | "500" | "500-after" | "silent" | "slow" | "throws" | "down";
  readonly when: "always" | { readonly next: number } | { readonly every: number };
  left?: number;
}

/** The hub from inside: what its database holds of one person. */
export interface Inside {
  readonly sessions: readonly Readonly<Record<string, unknown>>[];
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  readonly turns: readonly Readonly<Record<string, unknown>>[];
  readonly deliveries: readonly Readonly<Record<string, unknown>>[];
  readonly identities: readonly Readonly<Record<string, unknown>>[];
  /** False while the database does not answer; the rest is then what it last said. */
  readonly reachable: boolean;
}

/** How platforms deliver webhooks: `hold` ms late, that often, in any order. */
export interface Delivering {
  readonly copies: number;
  readonly delay_ms: number;
  readonly shuffle: boolean;
}

/** A scenario that runs. */
export interface Playing {
  /** Who plays it. */
  readonly person: string;
  readonly name: string;
  readonly step: number;
  readonly steps: number;
  readonly saying?: string;
  readonly failure?: string;
  readonly ended?: boolean;
}

/** Everything that a page needs when it opens. */
export interface Snapshot {
  readonly person: Person;
  readonly screens: readonly Screen[];
  readonly wire: readonly Wire[];
  readonly logs: readonly LogLine[];
  readonly inside: Inside;
  readonly faults: readonly ArmedFault[];
  readonly delivering: Delivering;
  readonly ahead_ms: number;
  readonly worker: "up" | "starting";
  readonly recording?: { readonly name: string; readonly steps: number };
  readonly playing?: Playing;
  readonly scenarios: readonly { readonly name: string; readonly title: string; readonly steps: number }[];
}

/** What changes, as the stream tells it. */
export type Change =
  | { readonly type: "snapshot"; readonly snapshot: Snapshot }
  | { readonly type: "screen"; readonly screen: Screen }
  | { readonly type: "wire"; readonly wire: Wire }
  | { readonly type: "log"; readonly line: LogLine }
  | { readonly type: "inside"; readonly person: string; readonly inside: Inside }
  | { readonly type: "person"; readonly person: Person }
  | { readonly type: "faults"; readonly faults: readonly ArmedFault[] }
  | { readonly type: "delivering"; readonly delivering: Delivering }
  | { readonly type: "clock"; readonly ahead_ms: number }
  | { readonly type: "worker"; readonly worker: "up" | "starting" }
  | { readonly type: "recording"; readonly recording: { name: string; steps: number } | null }
  | { readonly type: "playing"; readonly playing: Playing | null }
  | { readonly type: "scenarios"; readonly scenarios: Snapshot["scenarios"] };

/** Why something cannot be done, as a page's text names it. */
export type RefusedWord =
  | "unknownPerson"
  | "notShown"
  | "notOpen"
  | "nothingToRedeliver"
  | "noAnswer"
  | "refusedByHub"
  | "refusedByPlatform"
  | "verifyFirst"
  | "tooLarge"
  | "alreadyPlaying"
  | "nothingRecorded"
  | "noScenario"
  | "notUnderstood";

/** A device whose screen is a page of the hub. */
export type FrameDevice = Extract<DeviceName, "kiosk" | "web">;

/** What the script of a device's frame is told. */
export interface FrameState {
  readonly person: string;
  readonly device: FrameDevice;
  /** The session that the web page has when it is loaded. */
  readonly held?: { readonly token: string; readonly session_id: string };
  /** The country of the kiosk's pad. */
  readonly country?: string;
  /** The national number that is typed at the kiosk; empty: it goes on without one. Absent: nobody is there. */
  readonly phone?: string;
  /** The kiosk's API key. */
  readonly key?: string;
}
