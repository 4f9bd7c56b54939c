import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Avatar } from "../kit/components/avatar.tsx";
import { Button } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Field } from "../kit/components/field.tsx";
import { showToast } from "../kit/components/toasts.tsx";
import { call, Refused, type User } from "./api.ts";
import { me, report, users } from "./state.ts";
import { words } from "./words.ts";

async function load(): Promise<void> {
  users.value = (await call<{ users: User[] }>("/api/users")).users;
}

async function change(of: User, fields: Partial<Pick<User, "role" | "disabled">>): Promise<void> {
  try {
    await call(`/api/users/${of.user_id}`, { method: "PATCH", body: fields });
  } catch (error) {
    report(error);
  }
  await load().catch(report);
}

/** The people of the shop, for an admin: invite, role, disable. */
export function StaffPage() {
  const { say } = words;
  const adds = useSignal(false);
  useEffect(() => void load().catch(report), []);
  return (
    <main class="desk-page">
      <div class="desk-pair">
        <h2>{say("staff")}</h2>
        <Button onClick={() => (adds.value = true)}>{say("invite")}</Button>
      </div>
      <ul class="desk-table" aria-label={say("staff")}>
        {users.value.map((one) => {
          const isMe = one.user_id === me.value?.user_id;
          return (
            <li key={one.user_id} data-off={one.disabled ? "" : undefined}>
              <Avatar name={one.name} />
              <span class="desk-grows">
                <strong>
                  <bdi>{one.name}</bdi>
                </strong>
                <br />
                <bdi>{one.email}</bdi>
                {one.disabled && ` · ${say("disabled")}`}
              </span>
              <select
                class="k-input"
                aria-label={say("roleOf", { name: one.name })}
                value={one.role}
                // Of oneself another admin changes it: else the last one could lock all out.
                disabled={isMe || one.disabled}
                onChange={(event) => void change(one, { role: event.currentTarget.value as User["role"] })}
              >
                <option value="agent">{say("agent")}</option>
                <option value="admin">{say("admin")}</option>
              </select>
              <Button
                look={one.disabled ? "quiet" : "danger"}
                disabled={isMe}
                onClick={() => void change(one, { disabled: !one.disabled })}
              >
                {say(one.disabled ? "enable" : "disable")}
              </Button>
            </li>
          );
        })}
      </ul>
      {adds.value && <Invite onClose={() => (adds.value = false)} />}
    </main>
  );
}

function Invite({ onClose }: { readonly onClose: () => void }) {
  const { say } = words;
  const error = useSignal<string | undefined>(undefined);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const email = String(fields.get("email")).trim();
    const name = String(fields.get("name")).trim();
    try {
      await call("/api/users", { body: { email, name, role: fields.get("role") } });
    } catch (thrown) {
      if (thrown instanceof Refused && thrown.code === "user_exists") error.value = say("userExists");
      else report(thrown);
      return;
    }
    onClose();
    const { link } = await call<{ link: boolean }>("/api/staff/sign-in").catch(() => ({ link: false }));
    if (link) await call("/api/staff/sign-in/link", { body: { email } }).catch(report);
    showToast(say(link ? "invited" : "added", { name }));
    await load().catch(report);
  };
  return (
    <Dialog title={say("invite")} onClose={onClose}>
      <form class="desk-form" onSubmit={(event) => void submit(event)}>
        <Field label={say("name")}>
          {(input) => <input {...input} name="name" required maxLength={100} autocomplete="off" />}
        </Field>
        <Field label={say("email")} error={error.value}>
          {(input) => <input {...input} name="email" type="email" required autocomplete="off" />}
        </Field>
        <Field label={say("role")}>
          {(input) => (
            <select {...input} name="role">
              <option value="agent">{say("agent")}</option>
              <option value="admin">{say("admin")}</option>
            </select>
          )}
        </Field>
        <div class="k-actions">
          <Button look="quiet" onClick={onClose}>
            {say("cancel")}
          </Button>
          <Button type="submit">{say("invite")}</Button>
        </div>
      </form>
    </Dialog>
  );
}
