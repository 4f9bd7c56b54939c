import type { Part } from "../../core/answer/turn.ts";
import type { Channel } from "../../core/channel.ts";
import { prepare } from "../../core/content/prepare.ts";
import type { Reply } from "../../core/content/reply.ts";
import type { ReplyWindow } from "../../core/deliver/window.ts";
import { HubError, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { Identities } from "../../core/identity/identity.ts";
import { namesUpload } from "../media/of-message.ts";
import { mediaOf } from "../media/options.ts";
import { checkTemplates } from "../templates/check.ts";
import type { Rendering } from "./dispatch.ts";

/**
 * What each channel would send. A channel that cannot send the content is left out. Throws `malformed` with the reason of the first refusal if
 * none can, and `needs_storage` for an upload where there is no file storage.
 */
export async function renderEverywhere(
  hub: Hub,
  content: Reply,
  names: readonly string[] | undefined,
  identities: Identities,
): Promise<Record<string, Rendering>> {
  if (namesUpload(content) && !mediaOf(hub).storage)
    throw new HubError("needs_storage", "uploads need a file storage: docs/media.md names the three");
  const renderings: Record<string, Rendering> = {};
  let refusal: HubError | undefined;
  for (const name of names ?? Object.keys(hub.channels)) {
    const channel = hub.channels[name];
    if (!channel) throw new HubError("malformed", "channel: is not configured");
    try {
      await checkTemplates(hub, name, channel, [content]);
      renderings[name] = rendered(name, channel, content, identities);
    } catch (thrown) {
      const error = toHubError(thrown);
      const isRefused = error.reason === "bot_bad_reply" || error.reason?.startsWith("template_");
      if (!isRefused) throw error;
      refusal ??= error;
    }
  }
  if (Object.keys(renderings).length > 0) return renderings;
  throw new HubError("malformed", `content: ${refusal?.message ?? "no channel can send it"}`, {
    reason: refusal?.reason ?? "bot_bad_reply",
  });
}

function rendered(name: string, channel: Channel, reply: Reply, identities: Identities): Rendering {
  const { content, parts } = prepare(name, channel, reply, {});
  const outside = channel.window ? outsideOf(channel.window, parts) : "always";
  return { content, parts, outside, ...channel.addressOf?.(identities) };
}

/** What becomes of the first part, and so of the message, while the window is closed. */
function outsideOf(window: ReplyWindow, [first]: readonly Part[]): Rendering["outside"] {
  if (!first || !window.needs(first)) return "always";
  if (first.outside === undefined) return "none";
  return first.outside === "hold" ? "hold" : "always";
}
