import { Api, GrammyError } from "grammy/web";
import { HubError } from "../../core/errors.ts";
import { fileIn, type RemoteFile, rangeHeader } from "../../core/files.ts";

/**
 * Finds a file of a customer by its `file_id`. Its path is valid for an hour, and its address contains the bot's token, so neither
 * leaves this file. Telegram gives out files of at most 20 MB.
 * @see https://core.telegram.org/bots/api#getfile
 */
export async function findFile(
  { token, apiRoot }: { readonly token: string; readonly apiRoot: string },
  id: string,
  signal: AbortSignal,
): Promise<RemoteFile> {
  const { file_path, file_size } = await new Api(token, { apiRoot }).getFile(id, signal as never).catch(fail);
  if (file_path === undefined || !/^[\w./-]+$/.test(file_path) || file_path.split("/").includes(".."))
    throw gone("no_path");
  return {
    ...(file_size !== undefined && { size: file_size }),
    async open(range, signal) {
      const response = await fetch(`${apiRoot}/file/bot${token}/${file_path}`, {
        headers: rangeHeader(range),
        redirect: "manual",
        signal,
      }).catch(() => unreachable());
      const file = await fileIn(response);
      if (!("refused" in file)) return withoutType(file);
      if (file.refused === 404 || file.refused === 410) throw gone(String(file.refused));
      throw new HubError("unavailable", `telegram's files answered ${file.refused}`, {
        reason: `http_${file.refused}`,
      });
    },
  };
}

/** Telegram's file server calls every file `application/octet-stream`, which says nothing. */
function withoutType<T extends { readonly type?: string }>({ type, ...file }: T): T {
  return (type?.startsWith("application/octet-stream") ? file : { ...file, type }) as T;
}

function gone(reason: string): HubError {
  return new HubError("media_expired", "telegram no longer has this file", { reason });
}

/** Throws without a cause: a runtime's error may quote the address, which contains the token. */
function unreachable(): never {
  throw new HubError("unavailable", "telegram's files did not answer", { reason: "network" });
}

function fail(error: unknown): never {
  if (!(error instanceof GrammyError)) unreachable();
  const { error_code: code, description, parameters } = error;
  if (code === 429)
    throw new HubError("throttled", "telegram wants us to wait", {
      reason: "429",
      retryAfterMs: (Number(parameters.retry_after) || 1) * 1_000,
    });
  if (code === 400 && /too big/i.test(description))
    throw new HubError("media_too_large", "telegram gives bots no file of more than 20 MB", {
      reason: "too_big",
    });
  if (code === 400) throw gone("400");
  throw new HubError("unavailable", `telegram failed with ${code}`, { reason: String(code) });
}
