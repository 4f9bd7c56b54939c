import { z } from "zod";
import { parseJson } from "../../../core/json.ts";
import type { Content, ContentOf } from "../../../core/messages/content.ts";
import { anything, lenient, optionalText, present } from "../fields.ts";

const encoder = new TextEncoder();

type Interaction = ContentOf<"interaction">;

const answers = z.record(z.string(), z.unknown());

const buttonSchema = z.object({ id: optionalText, title: optionalText });
const rowSchema = buttonSchema.extend({ description: optionalText });
const formSchema = z.object({ name: optionalText, response_json: anything });
const permissionSchema = z.object({
  response: z.string().min(1),
  is_permanent: lenient(z.boolean()),
  expiration_timestamp: lenient(z.number()),
});

const interactiveSchema = z.object({
  type: z.string(),
  button_reply: anything,
  list_reply: anything,
  nfm_reply: anything,
  call_permission_reply: anything,
});

/**
 * The pressed button, chosen row, filled form or given permission. `unsupported` for an unknown interaction; undefined
 * for one that breaks its own rules.
 */
export function interactionOf(payload: unknown): Content | undefined {
  const interactive = interactiveSchema.safeParse(payload).data;
  if (!interactive) return undefined;
  switch (interactive.type) {
    case "button_reply":
      return interaction("button", buttonSchema.safeParse(interactive.button_reply).data);
    case "list_reply":
      return interaction("list", rowSchema.safeParse(interactive.list_reply).data);
    case "nfm_reply": {
      const form = formSchema.safeParse(interactive.nfm_reply).data;
      return interaction("form", form && { id: form.name, data: answersIn(form.response_json) });
    }
    case "call_permission_reply": {
      const permission = permissionSchema.safeParse(interactive.call_permission_reply).data;
      return interaction("permission", permission && { id: "call", data: present(permission) });
    }
    default:
      return { kind: "unsupported", type: `interactive.${interactive.type}`.slice(0, 64) };
  }
}

function interaction(
  name: Interaction["interaction"],
  used: Omit<Interaction, "kind" | "interaction"> | undefined,
): Content | undefined {
  return used && { kind: "interaction", interaction: name, ...present(used) };
}

/** A form's answers. They are JSON inside JSON. If that is broken, the text is saved unchanged. */
function answersIn(json: unknown): Interaction["data"] {
  if (typeof json !== "string") return answers.safeParse(json).data;
  try {
    return answers.safeParse(parseJson(encoder.encode(json))).data ?? json;
  } catch {
    return json;
  }
}
