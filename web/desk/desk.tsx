import { ChartColumn, LogOut } from "lucide";
import { useEffect } from "preact/hooks";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { Toasts } from "../kit/components/toasts.tsx";
import { ConversationList } from "./conversation-list.tsx";
import { ConversationPane } from "./conversation-pane.tsx";
import { CustomerPane } from "./customer-pane.tsx";
import { Numbers } from "./numbers.tsx";
import { listenForShortcuts, Shortcuts } from "./shortcuts.tsx";
import { SignIn } from "./sign-in.tsx";
import { beside, collision, isOffline, me, openKey, place, reply, signOut } from "./state.ts";
import { words } from "./words.ts";

/** The whole page: sign-in, then list, conversation and customer. */
export function Desk() {
  useEffect(() => listenForShortcuts(), []);
  return (
    <>
      {me.value ? <Signed name={me.value.name} /> : <SignIn />}
      <Toasts />
    </>
  );
}

function Signed({ name }: { readonly name: string }) {
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
        <span class="desk-me">{name}</span>
        <IconButton
          label={say(place.value === "numbers" ? "conversations" : "numbers")}
          aria-pressed={place.value === "numbers"}
          onClick={() => (place.value = place.value === "numbers" ? "list" : "numbers")}
        >
          <Icon of={ChartColumn} />
        </IconButton>
        <Shortcuts />
        <IconButton label={say("signOut")} onClick={() => void signOut()}>
          <Icon of={LogOut} mirrored />
        </IconButton>
      </header>
      {place.value === "numbers" ? (
        <Numbers />
      ) : (
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
  const { name, replies } = collision.value!;
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
            void reply(replies, true);
          }}
        >
          {words.say("sendAnyway")}
        </Button>
      </div>
    </Dialog>
  );
}
