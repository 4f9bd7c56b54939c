import type { Delivery } from "../../core/answer/turn.ts";
import { HubError, toHubError } from "../../core/errors.ts";
import type { FilesToSend, RemoteFile } from "../../core/files.ts";
import type { Hub } from "../../core/hub.ts";
import { featuresOf } from "../features.ts";
import { UPLOAD_BYTES } from "./limits.ts";
import { mediaOf } from "./options.ts";

/** The uploads that a delivery sends, from the file storage, and the ids under which its platform has them already. */
export function filesToSend(hub: Hub, { session_id, channel, account = "" }: Delivery): FilesToSend {
  const placeOf = (as: string) => `${channel}:${account}:${as}`;
  return {
    async find(upload, as) {
      const file = await featuresOf(hub)
        .media.send(upload, session_id, placeOf(as), hub.now())
        .catch((thrown: unknown) => {
          const error = toHubError(thrown);
          if (error.code !== "not_found") throw error;
          throw new HubError("rejected", "the reply's upload is not there", { reason: "upload_not_found" });
        });
      const { mime_type, file_name, platform_id } = file;
      return {
        mime_type,
        ...(file_name !== undefined && { file_name }),
        ...(platform_id !== undefined && { platform_id }),
        async bytes(signal) {
          const { storage } = mediaOf(hub);
          if (!storage)
            throw new HubError("unavailable", "the file storage is not configured", {
              reason: "needs_storage",
            });
          return read(await storage.find(upload, signal), signal);
        },
      };
    },
    async keep(upload, as, platform_id, lifeMs) {
      const until = lifeMs === undefined ? undefined : new Date(hub.now().getTime() + lifeMs);
      try {
        await featuresOf(hub).media.keepPlatformId(upload, placeOf(as), platform_id, until);
      } catch (thrown) {
        // The message is sent. Without the id, the next one uploads the file again.
        const { code, reason } = toHubError(thrown);
        hub.log("warn", "upload.id_not_kept", { upload, channel, code, reason });
      }
    },
  };
}

/** All bytes of a file; uploads are small enough. */
async function read(file: RemoteFile, signal: AbortSignal): Promise<Uint8Array> {
  const { body } = await file.open({ start: 0 }, signal).catch((thrown: unknown) => {
    const error = toHubError(thrown);
    if (error.code !== "media_expired") throw error;
    throw new HubError("rejected", "the reply's upload was deleted", { reason: "upload_not_found" });
  });
  const bytes = new Uint8Array(await new Response(body).arrayBuffer());
  if (bytes.byteLength > UPLOAD_BYTES)
    throw new HubError("rejected", "the file is too large", { reason: "too_big" });
  return bytes;
}
