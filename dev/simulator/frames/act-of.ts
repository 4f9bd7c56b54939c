import type { Act } from "../act.ts";
import type { Person } from "../model.ts";

interface Said {
  readonly external_id?: string;
  readonly text?: string;
  readonly reply_to?: string;
  readonly content?: Readonly<Record<string, unknown>>;
}

/** What a customer does in a frame, read from the call of its page: the acts that do the same. Undefined if nothing. `uploads` has the names
 * of the files that frames have uploaded. */
export function actOf(
  device: "kiosk" | "web",
  path: string,
  body: string,
  person: Person,
  uploads: ReadonlyMap<string, string>,
): { acts: Act[]; external_id?: string } | undefined {
  if (path === "/session/signout") return { acts: [{ do: "leave", device }] };
  if (body === "") return undefined;
  if (path === "/session/start") {
    const { phone, data } = JSON.parse(body) as { phone?: string; data?: Record<string, never> };
    const open: Act = { do: "open", device, as: phone ? "customer" : "guest", ...(data && { data }) };
    const isOther = device === "kiosk" && phone !== undefined && phone !== person.phone;
    return { acts: isOther ? [{ do: "number", device, phone }, open] : [open] };
  }
  if (path !== `/webhooks/${device}`) return undefined;
  const { external_id, ...said } = JSON.parse(body) as Said;
  const act = messageAct(device, said, uploads);
  return act && { acts: [act], ...(external_id && { external_id }) };
}

function messageAct(
  device: "kiosk" | "web",
  { text, content, reply_to }: Said,
  uploads: ReadonlyMap<string, string>,
): Act | undefined {
  if (text !== undefined) return { do: "write", device, text, ...(reply_to && { reply_to }) };
  const { kind, caption, title, text: words } = (content ?? {}) as Record<string, string | undefined>;
  switch (kind) {
    case "text":
      return { do: "write", device, text: words ?? "" };
    case "interaction":
      return { do: "tap", device, title: title ?? "" };
    case "image":
    case "video":
    case "audio":
    case "document": {
      const isVoice = content?.voice === true;
      const name = uploads.get(String((content?.media as { upload?: string } | undefined)?.upload));
      return {
        ...{ do: "media", device, kind: isVoice ? "voice" : kind },
        ...(caption && { caption }),
        ...(name && { name }),
      };
    }
    case "reaction":
      if (!reply_to) return undefined;
      return { do: "react", device, message: reply_to, emoji: (content?.emoji as string | null) ?? null };
    case "location":
      return { do: "location", device };
    case "contact":
      return { do: "contact", device, own: false };
    default:
      return undefined;
  }
}
