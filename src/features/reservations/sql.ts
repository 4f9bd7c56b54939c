import { cursorOf, type Row, toRecord } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import { eventIn } from "../orders/sql.ts";
import type { Reservation } from "./reservation.ts";
import type { CalendarFeed, Reservations } from "./reservations.ts";

/** `Reservations` over functions of the database. `people` has the arguments of calls that may make customers. */
export function sqlReservations(ask: SqlCall, people: Row): Reservations {
  const { kiosk_idle_ms } = people;
  return {
    async create(fields, making) {
      const { reservation, replayed, ...rest } = await ask("hub_create_reservation", {
        ...people,
        ...making,
        fields,
      });
      return {
        reservation: toRecord<Reservation>(reservation),
        replayed: replayed as boolean,
        ...eventIn(rest),
      };
    },
    async update(reservation_id, changes, changing) {
      const { reservation, ...rest } = await ask("hub_update_reservation", {
        ...changing,
        reservation_id,
        changes,
      });
      return { reservation: toRecord<Reservation>(reservation), ...eventIn(rest) };
    },
    async get(reservation_id, reader, now) {
      const found = await ask("hub_get_reservation", { now, kiosk_idle_ms, reservation_id, ...reader });
      return toRecord<Reservation>(found.reservation);
    },
    async find({ of, ...query }, after, limit, now) {
      const page = await ask("hub_find_reservations", {
        now,
        kiosk_idle_ms,
        ...of,
        ...query,
        limit,
        ...(after && { after }),
      });
      return {
        items: (page.reservations as Row[]).map(toRecord<Reservation>),
        ...cursorOf(page),
      };
    },
    async calendar(token_hash, from, to, limit) {
      const { reservations } = await ask("hub_calendar", {
        from,
        to,
        limit,
        ...(token_hash && { token_hash }),
      });
      return (reservations as Row[]).map(toRecord<Reservation>);
    },
    async addFeed(name, token_hash, actor, now) {
      return toRecord<CalendarFeed>(
        (await ask("hub_add_calendar_feed", { name, token_hash, actor, now })).feed,
      );
    },
    async feeds() {
      return ((await ask("hub_calendar_feeds", {})).feeds as Row[]).map(toRecord<CalendarFeed>);
    },
    async deleteFeed(feed_id, actor, now) {
      return (await ask("hub_delete_calendar_feed", { feed_id, actor, now })).deleted as boolean;
    },
  };
}
