import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button } from "../kit/components/button.tsx";
import { Field } from "../kit/components/field.tsx";
import { showToast } from "../kit/components/toasts.tsx";
import { call, keepToken, Refused } from "./api.ts";
import { begin } from "./state.ts";
import { words } from "./words.ts";

const ways = signal<{ kind: "supabase" | "local" | "off"; link: boolean } | undefined>(undefined);
const email = signal("");
const password = signal("");
const error = signal<"wrongSignIn" | "offline" | undefined>(undefined);

interface SignedIn {
  readonly staff_token: string;
}

async function enter(body: object): Promise<void> {
  error.value = undefined;
  try {
    keepToken((await call<SignedIn>("/api/staff/sign-in", { body })).staff_token);
    password.value = "";
    await begin();
  } catch (thrown) {
    error.value = thrown instanceof Refused && thrown.code === "offline" ? "offline" : "wrongSignIn";
  }
}

/** Goes on from a link in an e-mail, which leads here with an access token behind the hash. It leaves the address bar at once. */
export async function signInByLink(): Promise<void> {
  const access_token = new URLSearchParams(location.hash.slice(1)).get("access_token");
  if (!access_token) return;
  history.replaceState(null, "", location.pathname + location.search);
  await enter({ access_token });
}

/** The form with which one of the staff signs in. */
export function SignIn() {
  const { say } = words;
  useEffect(() => {
    call<{ kind: "supabase" | "local" | "off"; link: boolean }>("/api/staff/sign-in")
      .then((found) => (ways.value = found))
      .catch(() => (error.value = "offline"));
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    void enter({ email: email.value.trim(), password: password.value });
  };
  const sendLink = async () => {
    try {
      await call("/api/staff/sign-in/link", { body: { email: email.value.trim() } });
      showToast(say("linkSent"));
    } catch {
      error.value = "offline";
    }
  };
  return (
    <main class="desk-sign-in">
      <h1>{say("title")}</h1>
      {ways.value?.kind === "off" ? (
        <p>{say("signInOff")}</p>
      ) : (
        <form onSubmit={submit}>
          <Field label={say("email")}>
            {(input) => (
              <input
                {...input}
                type="email"
                autocomplete="username"
                required
                value={email.value}
                onInput={(event) => (email.value = event.currentTarget.value)}
              />
            )}
          </Field>
          <Field label={say("password")} error={error.value && say(error.value)}>
            {(input) => (
              <input
                {...input}
                type="password"
                autocomplete="current-password"
                required
                value={password.value}
                onInput={(event) => (password.value = event.currentTarget.value)}
              />
            )}
          </Field>
          <div class="desk-buttons">
            <Button type="submit">{say("signIn")}</Button>
            {ways.value?.link && (
              <Button look="quiet" onClick={() => void sendLink()}>
                {say("sendLink")}
              </Button>
            )}
          </div>
        </form>
      )}
    </main>
  );
}
