import type { Row } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Media, MessageFile, Upload } from "./media.ts";

/** A file that never arrives whole is given up after this long. */
const ARRIVES_MS = 3_600_000;
/** How long a file is kept that no message names yet. */
const UNUSED_MS = 86_400_000;
/** How long a file of the shop is kept after its upload, and after it was last sent. */
const SHOP_MS = 90 * 86_400_000;
/** The most uploads of one session within a day. */
const MOST = 100;

/** `Media` over functions of the database. `kiosk_idle_ms` ends the tokens of idle kiosks. */
export function sqlMedia(ask: SqlCall, { kiosk_idle_ms }: Row): Media {
  const later = (now: Date, ms: number) => new Date(now.getTime() + ms);
  return {
    async find(id, card, reader, now) {
      const who = reader === "anybody" ? {} : reader;
      const asked = { now, kiosk_idle_ms, id, ...(card !== undefined && { card }), ...who };
      return (await ask("hub_media", asked)).file as MessageFile;
    },
    async begin(of, author, now) {
      const who = of === "shop" ? {} : of;
      const delete_at = later(now, ARRIVES_MS);
      const begun = await ask("hub_begin_upload", {
        now,
        kiosk_idle_ms,
        ...who,
        author,
        delete_at,
        most: MOST,
      });
      return begun.upload_id as string;
    },
    async finish(upload_id, file, of, now) {
      const delete_at = later(now, of === "shop" ? SHOP_MS : UNUSED_MS);
      return (await ask("hub_finish_upload", { now, upload_id, ...file, delete_at })).file as Upload;
    },
    async claim(upload_id, of, now) {
      return (await ask("hub_claim_upload", { now, kiosk_idle_ms, upload_id, ...of })).file as Upload;
    },
    async send(upload_id, session_id, place, now) {
      const delete_at = later(now, SHOP_MS);
      const { file } = await ask("hub_send_upload", { now, upload_id, session_id, place, delete_at });
      return file as Upload & { platform_id?: string };
    },
    async keepPlatformId(upload_id, place, id, until) {
      await ask("hub_keep_platform_id", { upload_id, place, id, until });
    },
    async over(now, limit) {
      return (await ask("hub_uploads_over", { now, limit })).upload_ids as string[];
    },
    async drop(upload_ids, now) {
      await ask("hub_drop_uploads", { now, upload_ids });
    },
    async delete(upload_id, actor, now) {
      return (await ask("hub_delete_upload", { now, upload_id, actor })).deleted as boolean;
    },
  };
}
