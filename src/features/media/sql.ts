import type { Row } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Media, MessageFile } from "./media.ts";

/** `Media` over functions of the database. `kiosk_idle_ms` ends the tokens of idle kiosks. */
export function sqlMedia(ask: SqlCall, { kiosk_idle_ms }: Row): Media {
  return {
    async find(id, card, reader, now) {
      const who = reader === "anybody" ? {} : reader;
      const { file } = await ask("hub_media", {
        now,
        kiosk_idle_ms,
        id,
        ...(card !== undefined && { card }),
        ...who,
      });
      return file as MessageFile;
    },
  };
}
