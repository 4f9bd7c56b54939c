import { ChartColumn, Inbox, LogOut, MailWarning, MessageSquareText, Users } from "lucide";
import { useEffect } from "preact/hooks";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { later } from "../kit/components/later.tsx";
import { Toasts } from "../kit/components/toasts.tsx";
import type { User } from "./api.ts";
import { ConversationList } from "./conversation-list.tsx";
import { ConversationPane } from "./conversation-pane.tsx";
import { CustomerPane } from "./customer-pane.tsx";
import { reply } from "./sending.ts";
import { listenForShortcuts, Shortcuts } from "./shortcuts.tsx";
import { SignIn } from "./sign-in.tsx";
import { beside, collision, isOffline, me, openKey, type Place, place, signOut } from "./state.ts";
import { words } from "./words.ts";

const CannedPage = later(async () => (await import("./canned-page.tsx")).CannedPage);
const DeadLettersPage = later(async () => (await import("./dead-letters-page.tsx")).DeadLettersPage);
const Numbers = later(async () => (await import("./numbers.tsx")).Numbers);
const StaffPage = later(async () => (await import("./staff-page.tsx")).StaffPage);

/** The whole page: sign-in, then list, conversation and customer. */
export function Desk() {
  useEffect(() => listenForShortcuts(), []);
  return (
    <>
      {me.value ? <Signed {...me.value} /> : <SignIn />}
      <Toasts />
    </>
  );
}

const PLACES: readonly [Place, typeof Inbox, onlyAdmins?: boolean][] = [
  ["list", Inbox],
  ["canned", MessageSquareText],
  ["dead", MailWarning],
  ["numbers", ChartColumn],
  ["users", Users, true],
];
const NAMES = {
  list: "conversations",
  canned: "canned",
  dead: "deadLetters",
  numbers: "numbers",
  users: "staff",
} as const;

function Signed({ name, role }: User) {
  const { say } = words;
  return (
    <div class="desk" data-open={openKey.value === undefined ? undefined : ""}>
      <header class="desk-bar">
        <h1>{say("title")}</h1>
        {isOffline.value && (
          <span class="desk-offline" role="status">
            {say("offline")}
          </span>
        )}
        <nav class="desk-places" aria-label={say("places")}>
          {PLACES.filter(([, , onlyAdmins]) => !onlyAdmins || role === "admin").map(([one, icon]) => (
            <IconButton
              key={one}
              label={say(NAMES[one])}
              aria-current={place.value === one ? "page" : undefined}
              onClick={() => (place.value = one)}
            >
              <Icon of={icon} />
            </IconButton>
          ))}
        </nav>
        <span class="desk-me">{name}</span>
        <Shortcuts />
        <IconButton label={say("signOut")} onClick={() => void signOut()}>
          <Icon of={LogOut} mirrored />
        </IconButton>
      </header>
      {place.value === "numbers" && <Numbers />}
      {place.value === "users" && <StaffPage />}
      {place.value === "canned" && <CannedPage />}
      {place.value === "dead" && <DeadLettersPage />}
      {place.value === "list" && (
        <>
          <ConversationList />
          <ConversationPane />
          {beside.value && <CustomerPane {...beside.value} />}
        </>
      )}
      {collision.value && <Collision />}
    </div>
  );
}

/** Somebody has answered since this page looked: read first, or send all the same. */
function Collision() {
  const { name, replies, isWritten } = collision.value!;
  const close = () => (collision.value = undefined);
  return (
    <Dialog title={words.say("answered", { name })} onClose={close}>
      <p>{words.say("answeredBody")}</p>
      <div class="desk-buttons">
        <Button onClick={close}>{words.say("read")}</Button>
        <Button
          look="quiet"
          onClick={() => {
            close();
            void reply(replies, { anyway: true, isWritten });
          }}
        >
          {words.say("sendAnyway")}
        </Button>
      </div>
    </Dialog>
  );
}
