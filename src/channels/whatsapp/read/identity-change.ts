import { z } from "zod";
import type { Identities } from "../../../core/identity/identity.ts";
import { phoneFromDigits } from "../../../core/identity/phone.ts";
import type { Inbound } from "../../../core/messages/message.ts";
import { instant, optionalText, present } from "../fields.ts";
import { CHANNEL } from "./account.ts";
import { ignored } from "./ignored.ts";
import { identitiesOf, saysWho } from "./person.ts";

const CHANGES = ["user_changed_number", "customer_changed_number", "user_changed_user_id"];

const systemSchema = z.object({
  type: z.string(),
  body: optionalText,
  wa_id: optionalText,
  new_wa_id: optionalText,
  customer: optionalText,
  user_id: optionalText,
  previous_user_id: optionalText,
});

const updateSchema = z.object({
  wa_id: optionalText,
  timestamp: instant,
  user_id: z.object({ previous: optionalText, current: optionalText }),
});

/**
 * Reads a system message about a new number or user id of a person. Other notices, for example of a new device, are
 * ignored. A message that names two different old or new numbers is ignored too.
 */
export function readSystem(from: unknown, payload: unknown, at: Date | undefined): Inbound {
  const system = systemSchema.safeParse(payload).data;
  if (!system) return ignored("unreadable", "system");
  const { type, wa_id, new_wa_id, user_id, previous_user_id } = system;
  if (!CHANGES.includes(type)) return ignored("unknown", `system ${type}`);
  const sender = optionalText.parse(from);
  if (contradicts(system, sender)) return ignored("unreadable", `system ${type}`);
  const before = identitiesOf(sender, previous_user_id ?? userIdBefore(system));
  return change(before, identitiesOf(new_wa_id ?? wa_id, user_id), at, `system ${type}`);
}

/**
 * Reads one `user_id_update`: the user id of a person's future messages. The phone in it only helps to find the person
 * by the old identities; the event does not verify the phone.
 */
export function readUserIdUpdate(raw: unknown): Inbound {
  const update = updateSchema.safeParse(raw).data;
  if (!update) return ignored("unreadable", "user_id_update");
  const { wa_id, user_id, timestamp } = update;
  const before = identitiesOf(undefined, user_id.previous);
  if (!saysWho(before)) return ignored("no_sender", "user_id_update");
  const after = identitiesOf(undefined, user_id.current);
  return change({ ...identitiesOf(wa_id, undefined), ...before }, after, timestamp, "user_id_update");
}

function change(from: Identities, to: Identities, at: Date | undefined, what: string): Inbound {
  if (!saysWho(from) || !saysWho(to)) return ignored("no_sender", what);
  return { type: "identity_change", change: present({ channel: CHANNEL, from, to, at }) };
}

/** Whether the message names two different old numbers, or two different new ones. */
function contradicts(
  { body, customer, wa_id, new_wa_id }: z.infer<typeof systemSchema>,
  sender: string | undefined,
): boolean {
  const [, before, after] = / changed from \+?(\d+) to \+?(\d+)$/.exec(body ?? "") ?? [];
  return differ([sender, customer, before]) || differ([wa_id, new_wa_id, after]);
}

function differ(numbers: readonly (string | undefined)[]): boolean {
  const named = numbers.flatMap((digits) =>
    digits === undefined ? [] : (phoneFromDigits(digits) ?? digits),
  );
  return new Set(named).size > 1;
}

/** The old user id. Webhooks before August 2026 have it only at the end of `body`, which the platform writes. */
function userIdBefore({ body, user_id }: z.infer<typeof systemSchema>): string | undefined {
  const [, before, after] = / changed from (\S+) to (\S+)$/.exec(body ?? "") ?? [];
  return after === user_id ? before : undefined;
}
