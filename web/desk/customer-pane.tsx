import { useSignal } from "@preact/signals";
import { Plus, Trash2, X } from "lucide";
import type { ComponentChildren } from "preact";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Icon } from "../kit/components/icon.tsx";
import type { Beside } from "./api.ts";
import { nameOf, timeOf } from "./conversation-list.tsx";
import { isNarrow, letters, me, removeNote, retry, saveTags, showsCustomer } from "./state.ts";
import { words } from "./words.ts";

/** The customer beside the conversation; over it where there is no room. */
export function CustomerPane(beside: Beside) {
  const { say } = words;
  if (!isNarrow.value)
    return (
      <aside class="desk-customer" aria-label={say("customer")}>
        <Parts {...beside} />
      </aside>
    );
  if (!showsCustomer.value) return null;
  const close = () => (showsCustomer.value = false);
  return (
    <Dialog title={nameOf(beside.conversation)} onClose={close} isDrawer>
      <div class="desk-customer">
        <Button look="quiet" onClick={close}>
          {say("done")}
        </Button>
        <Parts {...beside} />
      </div>
    </Dialog>
  );
}

function Parts({
  conversation,
  customer,
  identities,
  addresses,
  windows,
  unreachable,
  sessions,
  orders,
  reservations,
  notes,
}: Beside) {
  const { say } = words;
  const money = (amount: string, currency: string) =>
    Number(amount).toLocaleString(words.language, { style: "currency", currency });
  const day = (at: string) =>
    new Date(at).toLocaleString(words.language, { dateStyle: "medium", timeStyle: "short" });
  const channels = [...new Set(addresses.map(({ channel }) => channel))];
  const window = (channel: string) => windows.find((one) => one.channel === channel);
  return (
    <>
      <Part title={say("notes")} is={notes.length > 0}>
        {notes.map(({ note_id, user, text, created_at }) => (
          <div class="desk-note" key={note_id}>
            <div class="desk-pair">
              <span>
                <strong>{user.name}</strong> <time dateTime={created_at}>{timeOf(created_at)}</time>
              </span>
              {(user.user_id === me.value?.user_id || me.value?.role === "admin") && (
                <IconButton label={say("removeNote")} onClick={() => void removeNote(note_id)}>
                  <Icon of={Trash2} />
                </IconButton>
              )}
            </div>
            <p dir="auto">{text}</p>
          </div>
        ))}
      </Part>
      <Part title={say("deadLetters")} is={letters.value.length > 0}>
        {letters.value.map(({ id, channel, reason }) => (
          <div class="desk-pair" key={id}>
            <span>
              {channel}: {reason}
            </span>
            <Button look="quiet" onClick={() => void retry(id)}>
              {say("retry")}
            </Button>
          </div>
        ))}
      </Part>
      <Part title={say("details")} is>
        {customer.name && customer.name !== nameOf(conversation) && <span>{customer.name}</span>}
        {[customer.email, customer.phone].map((value) => value && <bdi key={value}>{value}</bdi>)}
        {identities.map(({ kind, value, verified }) => (
          <span key={kind}>
            {kind.replaceAll("_", " ")}: <bdi>{value}</bdi>
            {verified && (
              <span class="desk-verified">
                {" ✓"}
                <span class="k-aside">{say("verified")}</span>
              </span>
            )}
          </span>
        ))}
      </Part>
      <Part title={say("channels")} is={channels.length + unreachable.length > 0}>
        {channels.map((channel) => (
          <span key={channel}>
            {channel}
            {window(channel) && (
              <small class="desk-window" data-open={window(channel)!.closes_at ? "" : undefined}>
                {window(channel)!.closes_at
                  ? say("windowUntil", { time: timeOf(window(channel)!.closes_at!) })
                  : say("windowOver")}
              </small>
            )}
          </span>
        ))}
        {unreachable.map((channel) => (
          <span key={channel}>
            {channel} ({say("blocked")})
          </span>
        ))}
      </Part>
      <Part title={say("tags")} is>
        <Tags tags={customer.tags} />
      </Part>
      <Part title={say("orders")} is={orders.length > 0}>
        {orders.map(({ order_id, status, amount, currency }) => (
          <span key={order_id}>
            <bdi>{order_id}</bdi>: {money(amount, currency)}, {status}
          </span>
        ))}
      </Part>
      <Part title={say("reservations")} is={reservations.length > 0}>
        {reservations.map(({ reservation_id, status, datetime, guests }) => (
          <span key={reservation_id}>
            {day(datetime)} · {guests} · {status}
          </span>
        ))}
      </Part>
      <Part title={say("sessions")} is={sessions.length > 0}>
        {sessions.map(({ session_id, channels: used, status, created_at }) => (
          <span key={session_id}>
            {day(created_at)}: {used.join(", ")} · {status}
          </span>
        ))}
      </Part>
    </>
  );
}

/** The tags, each with a button that takes it away, and a field for another. */
function Tags({ tags }: { readonly tags: readonly string[] }) {
  const { say } = words;
  const fresh = useSignal("");
  const add = async (event: Event) => {
    event.preventDefault();
    const tag = fresh.value.trim();
    if (tag !== "" && !tags.includes(tag) && !(await saveTags((now) => [...now, tag]))) return;
    fresh.value = "";
  };
  return (
    <>
      <ul class="desk-tags">
        {tags.map((tag) => (
          <li key={tag}>
            <bdi>{tag}</bdi>
            <button
              type="button"
              aria-label={say("removeTag", { name: tag })}
              onClick={() => void saveTags((now) => now.filter((one) => one !== tag))}
            >
              <Icon of={X} />
            </button>
          </li>
        ))}
      </ul>
      <form class="desk-pair" onSubmit={(event) => void add(event)}>
        <input
          class="k-input"
          aria-label={say("newTag")}
          placeholder={say("newTag")}
          maxLength={64}
          value={fresh.value}
          onInput={(event) => (fresh.value = event.currentTarget.value)}
        />
        <IconButton type="submit" label={say("addTag")}>
          <Icon of={Plus} />
        </IconButton>
      </form>
    </>
  );
}

function Part({
  title,
  is,
  children,
}: {
  readonly title: string;
  readonly is: boolean;
  readonly children: ComponentChildren;
}) {
  if (!is) return null;
  return (
    <section>
      <h3>{title}</h3>
      {children}
    </section>
  );
}
