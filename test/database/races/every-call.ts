import { sha256Of } from "../../../migrations/files.ts";
import type { Delivery, Turn } from "../../../src/core/answer/turn.ts";
import type { Reply } from "../../../src/core/content/reply.ts";
import type { Identities } from "../../../src/core/identity/identity.ts";
import type { Completed, Effects, InboundEvent, Received } from "../../../src/core/receive/conversations.ts";
import type { Store } from "../../../src/core/store.ts";
import type { Action } from "../../../src/features/actions/action.ts";
import type { CustomerFields } from "../../../src/features/customers/customer.ts";
import type { Recipient } from "../../../src/features/dispatches/dispatch.ts";
import { EVENT_TYPES } from "../../../src/features/endpoints/event.ts";
import { newSecret } from "../../../src/features/endpoints/secret.ts";
import type { BookingOwner } from "../../../src/features/orders/orders.ts";
import { failure, hash, reply, said } from "../../contracts/given.ts";
import { range, shuffled } from "./many.ts";

/** One call of a store, on one of few people. */
export type Call = () => Promise<unknown>;

/** Every writing call of a store, by name. All work on the same few people and on rows that earlier calls left. */
export function everyCall(store: Store, people: number, random: () => number): Record<string, Call> {
  const tokens: string[] = [];
  const turns: Turn[] = [];
  const deliveries: Delivery[] = [];
  const sessions: string[] = [];
  /** Messages that the shop has sent first. */
  const first: string[] = [];
  const sent: string[] = [];
  const heard: string[] = [];
  const reserved: string[] = [];
  const told: string[] = [];
  const uploads: string[] = [];
  /** Uploads with the session that each is of. */
  const uploadsOf: [string, string][] = [];
  let seed = 0;

  const any = (count: number) => Math.floor(random() * count);
  const one = <T>(list: readonly T[], otherwise: T): T => list[any(list.length)] ?? otherwise;
  const keep = <T>(list: T[], item: T) => {
    list.push(item);
    if (list.length > 12) list.shift();
  };
  const phone = () => `+49151000000${any(people)}`;
  const telegram = () => ({ telegram_chat_id: String(500 + any(people)) });
  const whatsapp = () => ({ whatsapp_user_id: `DE.p${any(people)}` });
  const customer = () => `c${any(people)}`;
  const token = () => one(tokens, hash(1));
  const newToken = () => {
    const made = hash(1_000 + ++seed);
    keep(tokens, made);
    return made;
  };
  const now = () => new Date();

  const take = ({ deliveries: more = [] }: Effects) => {
    for (const delivery of more) keep(deliveries, delivery);
  };
  const opened = (result: Effects & { session_id: string }) => {
    take(result);
    keep(sessions, result.session_id);
  };
  const receive = async (...events: InboundEvent[]) => {
    for (const result of await store.conversations.receive(events, now())) noted(result);
  };
  const noted = (result: Received) => {
    take(result);
    if (result.turn) keep(turns, result.turn);
    if (result.type === "message") keep(sessions, result.session.session_id);
  };
  const message = (from: Identities): InboundEvent => {
    const id = `m${++seed}`;
    keep(heard, id);
    const channel = "telegram_chat_id" in from ? "telegram" : "whatsapp";
    if (channel !== "whatsapp") return { type: "message", message: said(channel, from, id) };
    const to = from.phone ?? from.whatsapp_user_id ?? "nobody";
    const window_closes_at = new Date(Date.now() + one([30_000, 86_400_000], 0));
    return { type: "message", message: said(channel, from, id, { address: { to }, window_closes_at }) };
  };
  const at = { channel: "whatsapp", account: "number-1" };
  const receipt = (): InboundEvent => ({
    type: "receipt",
    receipt: {
      ...at,
      external_id: one(sent, "out"),
      status: one(["delivered", "read", "failed"] as const, "read"),
    },
  });
  const edit = (): InboundEvent => ({
    type: "edit",
    edit: {
      ...one([at, { channel: "telegram", account: "bot-1" }], at),
      external_id: one(heard, "m1"),
      content: { kind: "text", text: `edited ${++seed}` },
      address: { chat: "1" },
      wakes: true,
    },
  });
  const due = async () => {
    const found = await store.conversations.due(new Date(Date.now() + any(10) * 60_000), 4);
    for (const turn of found.turns) keep(turns, turn);
    for (const delivery of found.deliveries) keep(deliveries, delivery);
  };
  const finished = async (work: (turn: Turn) => Promise<Completed>) => {
    const turn = turns.splice(any(turns.length), 1)[0];
    if (!turn) return due();
    const { deliveries: more, next, messages } = await work(turn);
    for (const { message_id } of messages) keep(told, message_id);
    for (const delivery of more) keep(deliveries, delivery);
    if (next) keep(turns, next);
  };

  const by = () => ({ actor: "test", now: now() });
  const table = () => {
    const datetime = new Date(Date.now() + any(2) * 86_400_000).toISOString();
    return { name: "n", datetime, timezone: "UTC", guests: 2 };
  };
  const tea = () => ({ order_id: `o${any(4)}`, amount: "1.00", currency: "EUR" });
  const known = async () => {
    const { items } = await store.features!.customers.find({}, undefined, 20);
    return items[any(items.length)]?.customer_key ?? "nobody";
  };

  const atDesk = async () => {
    const email = `s${any(people)}@shop.example`;
    const staff = hash(900_000 + ++seed);
    await store
      .features!.staff.add({ actor: "test" }, { email, name: email, role: "agent" }, now())
      .catch(() => {});
    await store.features!.staff.signIn({ email }, staff, now());
    return { staff, now: now() };
  };

  return {
    "receive from one identity": () =>
      receive(message(one<Identities>([telegram(), { phone: phone() }], telegram()))),
    "receive from two identities": () => receive(message({ ...whatsapp(), phone: phone() })),
    "receive that merges": () => receive(message({ ...telegram(), phone: phone() })),
    "receive a claim": () => {
      const from = said(
        "kiosk",
        { phone: one([phone(), `+4915100001${100 + any(800)}`], phone()) },
        `k${++seed}`,
        { claimed: true },
      );
      return receive({ type: "message", message: from });
    },
    "receive a new name": () => {
      const from = said("telegram", telegram(), `m${++seed}`, { profile: { name: `n${seed}` } });
      return receive({ type: "message", message: from });
    },
    "receive a webhook of many": () =>
      receive(
        ...[
          message(whatsapp()),
          receipt(),
          edit(),
          message({ ...whatsapp(), phone: phone() }),
          receipt(),
        ].sort(() => random() - 0.5),
        {
          type: "reachability",
          reachability: { channel: "whatsapp", who: { phone: phone() }, reachable: any(2) > 0 },
        },
        { type: "identity_change", change: { channel: "whatsapp", from: whatsapp(), to: whatsapp() } },
      ),
    "receive a receipt": () => receive(receipt()),
    "receive an edit": () => receive(edit()),
    "receive an echo": () =>
      receive({
        type: "echo",
        echo: {
          ...at,
          external_id: `e${++seed}`,
          to: { phone: phone() },
          content: { kind: "text", text: "by hand" },
        },
      }),
    start: async () =>
      opened(
        await store.sessions.start(
          { identities: { phone: phone() }, channel: "web", token_hash: newToken(), data: { at: ++seed } },
          now(),
        ),
      ),
    "start of nobody": async () =>
      opened(
        await store.sessions.start(
          { identities: { visitor_id: `v${any(people)}` }, channel: "web", token_hash: newToken() },
          now(),
        ),
      ),
    "start with a name": async () =>
      opened(
        await store.sessions.start(
          { identities: { ...telegram(), phone: phone() }, channel: "web", customer_id: customer() },
          now(),
        ),
      ),
    restore: async () => opened(await store.sessions.restore({ token_hash: token() }, "kiosk", now())),
    "restore by name": async () =>
      opened(
        await store.sessions.restore(
          { token_hash: newToken(), identities: whatsapp(), customer_id: customer() },
          "web",
          now(),
        ),
      ),
    update: async () =>
      opened(
        await store.sessions.update(
          { token_hash: token() },
          {
            data: { at: ++seed },
            channel: "web",
            message: { text: "told", role: "user", external_id: `u${seed}` },
          },
          now(),
        ),
      ),
    "update with a name": async () =>
      opened(
        await store.sessions.update(
          { session_id: one(sessions, crypto.randomUUID()) },
          { customer_id: customer() },
          now(),
        ),
      ),
    "set a language": () =>
      store.sessions.setLanguage(
        { session_id: one(sessions, crypto.randomUUID()) },
        one(["hi", "es", "fr"], "en"),
        now(),
      ),
    end: () => store.sessions.end(token(), now()),
    "sign out": () => store.sessions.signOut(token(), now()),
    "confirm a code": async () => {
      const proof = { phone: phone(), code_hash: hash(++seed) };
      take({ deliveries: [] });
      await store.proofs.requestCode({ ...proof, rate_limit_keys: [`ip:${seed}`] }, now());
      opened(
        await store.proofs.confirmCode(
          { ...proof, token_hash: token(), new_token_hash: newToken(), channel: "web", merge: any(2) > 0 },
          now(),
        ),
      );
    },
    "scan a link": async () => {
      const link = { token_hash: token(), link_hash: hash(500_000 + ++seed), new_token_hash: newToken() };
      await store.proofs.createLink(link, now());
      const from = said("telegram", telegram(), `l${++seed}`, { link_hash: link.link_hash });
      await receive({ type: "message", message: from });
    },
    "sign up": () => store.proofs.signUp({ token_hash: token(), password: "long enough" }, now()),
    "log in": async () => {
      const theirs = { phone: phone(), password: "long enough" };
      const first = { token_hash: newToken(), new_token_hash: newToken() };
      await store.sessions.start(
        { identities: { phone: theirs.phone }, channel: "web", token_hash: first.token_hash },
        now(),
      );
      await store.proofs.signUp({ token_hash: first.token_hash, password: theirs.password }, now());
      const rate_limit_keys = [`ip:${any(99)}`, `device:${any(99)}`];
      opened(await store.proofs.logIn({ ...theirs, ...first, channel: "web", rate_limit_keys }, now()));
    },
    unlink: () =>
      store.proofs.unlink(
        token(),
        one(["phone", "telegram_chat_id", "whatsapp_user_id"] as const, "phone"),
        now(),
      ),
    complete: () =>
      finished((turn) =>
        store.conversations.complete(turn, [reply("one and two", ["one", "two"]), reply("three")], now()),
      ),
    "complete with changes": () =>
      finished((turn) => {
        const message_id = one(told, turn.message.message_id);
        const changes: Reply[] = [
          { kind: "edit", message_id, text: `edited ${++seed}` },
          { kind: "reaction", emoji: one(["👍", null], "👍") },
          { kind: "pin", message_id, pinned: any(2) === 0 },
          { kind: "delete", message_id },
        ];
        return store.conversations.complete(
          turn,
          [one(changes, changes[0]!), reply("two").content].map((content) => ({
            content,
            parts: reply("x").parts,
          })),
          now(),
        );
      }),

    "change a message": async () => {
      const message_id = one(told, crypto.randomUUID());
      const changes: Reply[] = [
        { kind: "edit", message_id, text: `edited ${++seed}` },
        { kind: "reaction", message_id, emoji: one(["👍", null], "👍") },
        { kind: "pin", message_id, pinned: any(2) === 0 },
        { kind: "delete", message_id },
      ];
      const change = { content: one(changes, changes[0]!), parts: reply("x").parts };
      take(await store.features!.messageChanges.change(message_id, change, { actor: "test" }, now()));
    },

    fail: () =>
      finished((turn) =>
        store.conversations.fail(turn, failure("bot_500"), one([undefined, new Date()], undefined), now()),
      ),
    settle: async () => {
      const outcomes = deliveries
        .splice(0, 1 + any(4))
        .map(({ delivery_id, attempt, window_closes_at: seen }) => {
          const external_id = `out${++seed}`;
          keep(sent, external_id);
          const ends = [
            { state: "sent", external_id },
            { state: "sent", external_id },
            { state: "pending", retry_at: new Date(), code: "unavailable", reason: "500" },
            { state: "dead", code: "rejected", reason: "blocked" },
            {
              state: "held",
              until: new Date(Date.now() + any(3) * 1_000),
              ...(seen && { seen }),
              refused: true,
            },
          ] as const;
          return { delivery_id, attempt, ...one(ends, ends[0]) };
        });
      if (outcomes.length === 0) return due();
      const { deliveries: more } = await store.conversations.settle(outcomes, now());
      for (const delivery of more) keep(deliveries, delivery);
    },
    due,
    retry: async () => {
      const dead = await store.operations.deadLetters(undefined, 20);
      const id = dead[any(dead.length)]?.id;
      const found = id
        ? await store.operations.retry(id, { actor: "admin:test" }, now())
        : { found: false as const };
      if (found.found) {
        for (const turn of found.turns) keep(turns, turn);
        for (const delivery of found.deliveries) keep(deliveries, delivery);
      }
    },
    "hand over": () =>
      finished((turn) =>
        store.conversations.complete(turn, [reply("wait")], now(), undefined, { reason: "asked" }),
      ),
    "take a conversation": async () => {
      const held = await store.features!.conversations.hold(await atDesk(), await known(), {
        action: one(["take", "close", "seen"] as const, "take"),
      });
      if (held.turn) keep(turns, held.turn);
    },
    "give a conversation back": async () => {
      const id = await known();
      await store.features!.conversations.hold(await atDesk(), id, { action: "take" });
      const { turn } = await store.features!.conversations.hold(await atDesk(), id, { action: "give_back" });
      if (turn) keep(turns, turn);
    },
    "answer at the desk": async () => {
      const { deliveries: more } = await store.features!.conversations.reply(await atDesk(), await known(), {
        channel: "whatsapp",
        account: "number-1",
        address: { to: "x" },
        replies: [reply("by hand")],
        idempotency_key: `k${any(4)}`,
        fields: {},
      });
      for (const delivery of more) keep(deliveries, delivery);
    },
    "write a note": async () => {
      const { conversations } = store.features!;
      await conversations.addNote(await atDesk(), await known(), { text: "n", mentions: [] });
      await conversations.present(await atDesk(), await known(), any(2) > 0);
      await conversations.changes(await atDesk());
      await conversations.list(await atDesk(), { view: "all", limit: 5 });
    },
    "mark conversations": () => store.features!.conversations.markOverdue(now(), 5, now()),
    "disable a user": async () => {
      const { staff } = store.features!;
      const { user_id } = await staff.who((await atDesk()).staff, now());
      await staff.update({ actor: "test" }, user_id, { disabled: true }, undefined, now());
      await staff.update({ actor: "test" }, user_id, { disabled: false }, undefined, now());
    },
    "put a thread": () =>
      store.threads.put(
        `t${any(people)}`,
        { data: { at: ++seed }, user_id: customer(), ttl_ms: 1 + any(2) * 9_000 },
        now(),
      ),
    "read a thread": () => store.threads.get(`t${any(people)}`, now()),
    "delete a thread": () => store.threads.delete(`t${any(people)}`, now()),
    rate: () =>
      store.sessions.rate(
        one(sessions, crypto.randomUUID()),
        one([undefined, token()], undefined),
        { rating: 1 + any(5), feedback: "fine" },
        now(),
      ),
    expire: () => store.housekeeping.expire(new Date(Date.now() + any(2) * 26 * 60 * 60_000), 5),
    purge: () =>
      store.housekeeping.purge(now(), 3, {
        now: now(),
        messages_before: new Date(Date.now() - 20),
        passwords_before: new Date(Date.now() - 20),
        identities_before: new Date(Date.now() - 20),
        bookings_before: new Date(Date.now() - 20),
        events_before: new Date(Date.now() - any(2) * 2_000),
      }),
    erase: () =>
      store.privacy.erase(
        one([{ session_id: one(sessions, crypto.randomUUID()) }, { customer_id: customer() }], {
          customer_id: customer(),
        }),
        "test",
        now(),
      ),
    "add an endpoint": async () => {
      const { endpoints } = store.features!;
      const types = EVENT_TYPES.filter(() => any(2) > 0);
      const all = await endpoints.list();
      if (all.length > 2) await endpoints.delete(one(all, all[0]!).endpoint_id, by());
      await endpoints.create({ url: "http://127.0.0.1:9/", types, content: any(2) > 0 }, newSecret(), by());
    },
    "change an endpoint": async () => {
      const { endpoints } = store.features!;
      const [{ endpoint_id } = { endpoint_id: crypto.randomUUID() }] = shuffled(await endpoints.list());
      await endpoints.update(endpoint_id, { enabled: any(3) > 0, types: EVENT_TYPES }, by());
      const from = new Date(Date.now() - 60_000);
      await endpoints.replay(endpoint_id, { from, to: now(), dead: any(2) > 0, limit: 20 }, by());
    },
    "send a message first": async () => {
      const { dispatches } = store.features!;
      const to = one<Recipient>(
        [
          { session_id: one(sessions, crypto.randomUUID()) },
          { customer_id: customer() },
          { identities: { phone: phone() } },
          { identities: telegram() },
        ],
        { identities: { phone: phone() } },
      );
      const made = (account: string) => ({
        ...reply("first"),
        outside: "always" as const,
        account,
        address: { to: "x" },
      });
      const renderings = { telegram: made("bot-1"), whatsapp: made("number-1") };
      const not_before = one([undefined, new Date(Date.now() + 20)], undefined);
      const { dispatch, effects } = await dispatches.send(
        { to, purpose: "service", renderings, ...(not_before && { not_before }) },
        { ...by(), idempotency_key: `k${++seed}`, body_hash: "x" },
      );
      take(effects);
      first.push(dispatch.dispatch_id);
    },
    "cancel a message": async () => {
      await store.features!.dispatches.cancel(one(first, crypto.randomUUID()), by());
    },
    "run campaigns": async () => {
      const { campaigns } = store.features!;
      const rendering = { ...reply("news"), outside: "always" as const };
      const { campaign } = await campaigns.create(
        {
          name: "news",
          purpose: "marketing",
          segment: {},
          renderings: { en: { telegram: rendering, whatsapp: rendering } },
          language: "en",
          rate: 80,
          pausing: ["132015"],
        },
        by(),
      );
      const { campaign_id } = campaign;
      for (let step = 0; step < 3; step++)
        take(await campaigns.run({ limit: 5, horizonMs: 250, batch: 5 }, now()));
      await campaigns.get(campaign_id);
      await campaigns
        .steer(campaign_id, one(["pause", "resume", "cancel"] as const, "cancel"), by())
        .catch(() => {});
    },
    "place messages": async () => {
      const { deliveries } = await store.features!.dispatches.place(5, now());
      take({ deliveries });
    },
    "opt out": async () => {
      const which = { ...one([{ channel: "telegram" }, {}], {}), opted_out: any(3) === 0 };
      await store.features!.optOuts.set({ session_id: one(sessions, crypto.randomUUID()) }, which, by());
    },
    "receive an opt-out": () => {
      const heard = message({ phone: phone() });
      if (heard.type !== "message") throw new Error("not a message");
      const opt = one(["out", "in"] as const, "in");
      return receive({ ...heard, message: { ...heard.message, opt } });
    },
    "read templates": async () => {
      const { templates } = store.features!;
      const of = { channel: "whatsapp", account: "waba" };
      const name = `t${any(2)}`;
      await templates.begin({ ...of, everyMs: any(2) * 1_000 }, now());
      const template = { template_id: "1", name, language: "de", status: "APPROVED", category: "utility" };
      if (any(2) > 0) await templates.save(of, [{ ...template, components: [] }], now());
      await templates.update(
        { ...of, name, language: "de", status: one(["PAUSED", "DELETED"], "PAUSED") },
        now(),
      );
      await templates.find({ ...of, name });
      await templates.list({}, undefined, 5);
    },
    "post events": async () => {
      const { endpoints } = store.features!;
      const due = await endpoints.due(now());
      const endpoint_id = one(due.endpoints, crypto.randomUUID());
      const claim = { limit: 6, leaseMs: 20, failsMs: 60_000 };
      const { events } = await endpoints.next(endpoint_id, { outcomes: [] }, claim, now());
      const outcomes = shuffled(events).map(({ lane, seq, attempt }) => {
        const retry_at = new Date(Date.now() + any(20));
        const failed = { retry_at, code: "unavailable", reason: "http_500" };
        const ends = [
          { state: "sent" },
          { state: "sent" },
          { state: "unsent" },
          { state: "waiting", ...failed },
          { state: "dead", ...failed },
        ] as const;
        return { lane, seq, attempt, ...one(ends, ends[0]) };
      });
      await endpoints.next(endpoint_id, { outcomes, gone: any(20) === 0 }, claim, now());
    },
    "put a customer": async () => {
      const fields = { phone: phone(), email: `p${any(people)}@example.com`, attributes: { at: ++seed } };
      take((await store.features!.customers.put(customer(), fields, by())).effects);
    },
    "patch a customer": async () => {
      const changes = one<CustomerFields>([{ phone: null }, { email: null }, { name: `n${++seed}` }], {});
      take((await store.features!.customers.patch(await known(), changes, by())).effects);
    },
    "upsert a customer": async () => {
      const fields = one([{ phone: phone() }, { email: `p${any(people)}@example.com` }], { phone: phone() });
      take((await store.features!.customers.upsert({ ...fields, name: `n${++seed}` }, by())).effects);
    },
    "merge customers": async () => {
      const { merge, upsert } = store.features!.customers;
      await upsert({ email: `p${any(people)}@example.com` }, by());
      const all = ["phone", "email", "customer_id", "telegram_chat_id", "whatsapp_user_id"];
      take((await merge(await known(), await known(), all, by())).effects);
    },
    "make a reservation": async () => {
      const owner = one<BookingOwner>(
        [
          { phone: phone(), email: `p${any(people)}@example.com` },
          { customer_id: customer() },
          { session_id: one(sessions, crypto.randomUUID()) },
        ],
        {},
      );
      const { reservation } = await store.features!.reservations.create(
        { ...table(), ...owner },
        { ...by(), idempotency_key: `k${any(4)}` },
      );
      keep(reserved, reservation.reservation_id);
    },
    "change a reservation": async () => {
      const { create, update } = store.features!.reservations;
      const { reservation } = await create({ ...table(), phone: phone() }, by());
      keep(reserved, reservation.reservation_id);
      await update(one(reserved, reservation.reservation_id), { guests: 3 + any(9) }, by());
    },
    "make an order": () =>
      store.features!.orders.create(
        { ...tea(), ...one<BookingOwner>([{ phone: phone() }, { customer_id: customer() }], {}) },
        by(),
      ),
    "change an order": () =>
      store.features!.orders.update(`o${any(4)}`, { payment_intent_id: `pi${++seed}` }, by()),
    "read bookings": async () => {
      const { orders, reservations } = store.features!;
      await orders.find({ of: { customer_id: customer() } }, undefined, 5, now());
      await reservations.find({}, undefined, 5, now());
      await reservations.calendar(undefined, new Date(0), now(), 5);
    },
    "complete with actions": () =>
      finished((turn) => {
        const others: Action[] = [
          { type: "update_order", order_id: `o${any(4)}`, payment_intent_id: `pi${++seed}` },
          {
            type: "update_reservation",
            reservation_id: one(reserved, crypto.randomUUID()),
            guests: 1 + any(9),
          },
          { type: "create_order", ...tea() },
          { type: "end_session" },
        ];
        const actions: Action[] = [
          { type: "update_customer", name: `n${++seed}`, email: `p${any(people)}@example.com` },
          { type: "create_reservation", ...table() },
          ...others.filter(() => any(4) === 0),
        ];
        return store.conversations.complete(turn, [reply("done")], now(), actions);
      }),
    "update with contacts": async () =>
      opened(
        await store.sessions.update(
          { session_id: one(sessions, crypto.randomUUID()) },
          { metadata: { email: `p${any(people)}@example.com`, phone: phone() } },
          now(),
        ),
      ),
    "spend tokens": () =>
      finished(async (turn) => {
        const { modelUsage } = store.features!;
        const limits = { turns: 1_000, tokens: 1e9 };
        const hold = { tokens: 10, cost: 1 };
        await modelUsage.spend(turn.turn_id, { turns: 1, hold }, limits, now());
        const used = { input_tokens: 5, output_tokens: 5, cost: 1 };
        await modelUsage.spend(turn.turn_id, { release: hold, used }, limits, now());
        return store.conversations.complete(turn, [reply("done")], now(), undefined, { reason: "asked" });
      }),
    "put a document": () =>
      store.features!.knowledge.put(
        `k${any(2)}`,
        { title: "t", format: "text", text: `words ${++seed}` },
        "test",
        now(),
      ),
    "upload a file": async () => {
      const { media } = store.features!;
      const of = one(
        [{ token_hash: token() }, { session_id: one(sessions, crypto.randomUUID()) }],
        "shop" as never,
      );
      const id = await media.begin(of, "test", now());
      keep(uploads, id);
      if ("session_id" in of) keep(uploadsOf, [id, of.session_id]);
      await media.finish(id, { mime_type: "image/png", size: 1, sha256: "00" }, of, now());
      await media.claim(id, of as never, now());
    },
    "send an upload": async () => {
      const { media } = store.features!;
      const [id, session_id] = one(uploadsOf, [crypto.randomUUID(), crypto.randomUUID()]);
      await media.send(id, session_id, "whatsapp:1:", now());
      await media.keepPlatformId(id, "whatsapp:1:", "7", now());
    },
    "delete uploads": async () => {
      const { media } = store.features!;
      await media.delete(one(uploads, crypto.randomUUID()), "test", now());
      await media.drop(await media.over(now(), 3), now());
    },
    "delete a document": () => store.features!.knowledge.delete(`k${any(2)}`, "test", now()),
    "embed documents": async () => {
      const { knowledge } = store.features!;
      const texts = await Promise.all([0, 1].map((i) => knowledge.get(`k${i}`).catch(() => undefined)));
      const parts = texts.flatMap((one) =>
        one
          ? [
              {
                knowledge_id: one.knowledge_id,
                place: 1,
                hash: sha256Of(`${one.title}\n${one.text}`),
                vector: [1, any(9)],
              },
            ]
          : [],
      );
      await knowledge.embed("m", parts);
    },
    "search documents": () => store.features!.knowledge.search("words", 4),
    "index messages": async () => store.features?.search.index(1 + any(40)),
    "count statistics": async () => store.features?.statistics.count(1 + any(40)),
    search: async () =>
      store.features?.search.messages({ q: "text of m", of: { token_hash: token() } }, undefined, 20, now()),
    export: () =>
      store.privacy.export({ session_id: one(sessions, crypto.randomUUID()) }, undefined, 50, "test", now()),
  };
}

/** All pairs of these calls, also each with itself. */
export function pairsOf(names: readonly string[]): (readonly [string, string])[] {
  return range(names.length).flatMap((i) => names.slice(i).map((other) => [names[i]!, other] as const));
}
