import type { PlatformTemplate, Template } from "../../core/content/template.ts";
import type { TemplateUpdate } from "../../core/messages/message.ts";

export interface TemplateQuery {
  readonly channel?: string | undefined;
  readonly name?: string | undefined;
  readonly status?: string | undefined;
}

/** The templates of the shop's accounts, as their platforms told them last. One method is one round trip. */
export interface Templates {
  /**
   * Whether the templates of an account are to be read now: they never were, not for `everyMs`, or an update has asked for it.
   * Only one caller is told so.
   */
  begin(of: { channel: string; account: string; everyMs: number }, now: Date): Promise<boolean>;
  /** Replaces all templates of an account. */
  save(
    of: { channel: string; account: string },
    templates: readonly PlatformTemplate[],
    now: Date,
  ): Promise<void>;
  /** Applies what a platform says of a template, and asks for a reading of all. Returns whether the template is known. */
  update(update: TemplateUpdate, now: Date): Promise<boolean>;
  /** A page in the order of channel, account, name and language. `synced_at` is when the templates were read last. */
  list(
    query: TemplateQuery,
    after: string | undefined,
    limit: number,
  ): Promise<{ templates: Template[]; synced_at?: Date; after?: string }>;
  /** A template in all its languages. `synced` is false as long as the account's templates were never read. */
  find(of: {
    channel: string;
    account: string;
    name: string;
  }): Promise<{ templates: Template[]; synced: boolean }>;
}
