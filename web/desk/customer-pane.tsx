import type { ComponentChildren } from "preact";
import { Button } from "../kit/components/button.tsx";
import type { Beside } from "./api.ts";
import { timeOf } from "./conversation-list.tsx";
import { letters, retry } from "./state.ts";
import { words } from "./words.ts";

/** The customer beside the conversation. */
export function CustomerPane({
  customer,
  identities,
  addresses,
  unreachable,
  sessions,
  orders,
  reservations,
  notes,
}: Beside) {
  const { say } = words;
  const money = (amount: string, currency: string) =>
    Number(amount).toLocaleString(words.language, { style: "currency", currency });
  return (
    <aside class="desk-customer" aria-label={say("customer")}>
      <Part title={say("notes")} is={notes.length > 0}>
        {notes.map(({ note_id, user, text, created_at }) => (
          <div class="desk-note" key={note_id}>
            <strong>{user.name}</strong> <time dateTime={created_at}>{timeOf(created_at)}</time>
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
        {[customer.email, customer.phone].map((value) => value && <bdi key={value}>{value}</bdi>)}
        {identities.map(({ kind, value, verified }) => (
          <span key={kind}>
            {kind.replaceAll("_", " ")}: <bdi>{value}</bdi>
            {verified ? " ✓" : ""}
          </span>
        ))}
      </Part>
      <Part title={say("channels")} is={addresses.length + unreachable.length > 0}>
        {[...new Set(addresses.map(({ channel }) => channel))].map((channel) => (
          <span key={channel}>{channel}</span>
        ))}
        {unreachable.map((channel) => (
          <span key={channel}>
            {channel} ({say("blocked")})
          </span>
        ))}
      </Part>
      <Part title={say("tags")} is={customer.tags.length > 0}>
        <span>{customer.tags.join(", ")}</span>
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
            {new Date(datetime).toLocaleString(words.language, { dateStyle: "medium", timeStyle: "short" })} ·{" "}
            {guests} · {status}
          </span>
        ))}
      </Part>
      <Part title={say("sessions")} is={sessions.length > 0}>
        {sessions.map(({ session_id, channels, status, created_at }) => (
          <span key={session_id}>
            {timeOf(created_at)}: {channels.join(", ")} · {status}
          </span>
        ))}
      </Part>
    </aside>
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
