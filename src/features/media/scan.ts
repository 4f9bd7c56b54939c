import { z } from "zod";
import { HubError } from "../../core/errors.ts";

/** A program that looks for viruses. */
export interface Scanner {
  readonly url: string;
  /** Sent as a bearer. */
  readonly token?: string;
}

const SCAN_MS = 20_000;
const LONGEST_ANSWER = 4_096;
const answerSchema = z.object({ clean: z.boolean() });

/**
 * Posts the bytes to the scanner, as docs/media.md describes for its author. Only `200 {"clean": true}` lets the file in. Throws
 * `media_infected` for `{"clean": false}`, and `scan_unavailable` for everything else.
 */
export async function scan({ url, token }: Scanner, bytes: Uint8Array, type: string): Promise<void> {
  const answer = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": type,
      accept: "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: bytes as Uint8Array<ArrayBuffer>,
    // Workers do not support "error" here. With "manual" a redirect comes back as its 3xx status, which lets nothing in.
    redirect: "manual",
    signal: AbortSignal.timeout(SCAN_MS),
  })
    .then(async (response) => ({
      status: response.status,
      text: (await response.text()).slice(0, LONGEST_ANSWER),
    }))
    .catch(() => undefined);
  if (!answer) throw closed("network");
  if (answer.status !== 200) throw closed(`http_${answer.status}`);
  const said = answerSchema.safeParse(parsed(answer.text)).data;
  if (!said) throw closed("unreadable");
  if (!said.clean) throw new HubError("media_infected", "the virus scanner refuses the file");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function closed(reason: string): HubError {
  return new HubError("scan_unavailable", "the virus scanner does not answer; the file is not stored", {
    reason,
    retryAfterMs: 30_000,
  });
}
