import { beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../src/core/store.ts";
import type { CustomerFields } from "../../src/features/customers/customer.ts";
import type { Customers } from "../../src/features/customers/customers.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { anna, ben, type Desk, desk, hash, minute, said, settings } from "../contracts/given.ts";
import { actorOf, auditOf, begin, expectToken, typeIn } from "../contracts/proving.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, owner, empty } = bothTransports({ max: 20 });
beforeEach(empty);

let actor: string;
const by = (at = 0, if_version?: number) => ({
  actor,
  now: minute(at),
  ...(if_version !== undefined && { if_version }),
});
const conflict = (details: object) => ({ code: "customer_conflict", details });
const email = "anna@example.com";

describe.each(transports)("customers of a back office, in %s", (_name, call) => {
  let store: Desk;
  let customers: Customers;
  const names = async (q: string, limit = 50) =>
    (await customers.find({ q }, undefined, limit)).items.map(({ name }) => name);
  const upsert = async (fields: CustomerFields, at = 0) => (await customers.upsert(fields, by(at))).customer;

  beforeEach(async () => {
    actor = actorOf();
    const plain: Store = sqlStore(call(), settings);
    store = await desk(async () => plain);
    customers = plain.features!.customers;
  });

  test("a new one is what was put, under the shop's name, and put again is replaced", async () => {
    const fields: CustomerFields = {
      name: "Anna Berg",
      email,
      phone: anna.phone,
      preferred_language: "hi-IN",
      plan: "premium",
      tags: ["vip", "early", "vip"],
      attributes: { seats: { table: 4 }, none: null },
    };
    const first = await customers.put("103", fields, by());
    expect(first.created).toBe(true);
    expect(first.customer).toEqual({
      customer_key: expect.any(String),
      customer_id: "103",
      name: "Anna Berg",
      email,
      email_verified: true,
      phone: anna.phone,
      phone_verified: true,
      preferred_language: "hi-IN",
      plan: "premium",
      tags: ["vip", "early"],
      attributes: { seats: { table: 4 } },
      profile: {},
      identities: { email, phone: anna.phone },
      claimed: {},
      version: 1,
      created_at: minute(0),
      updated_at: minute(0),
    });
    expect(await customers.get("103")).toEqual(first.customer);
    expect(await customers.get(first.customer.customer_key)).toEqual(first.customer);
    const again = await customers.put("103", { name: "Anna" }, by(1));
    expect(again).toMatchObject({
      created: false,
      customer: {
        name: "Anna",
        email,
        phone: anna.phone,
        plan: "basic",
        tags: [],
        attributes: {},
        version: 2,
        updated_at: minute(1),
      },
    });
    expect(again.customer).not.toHaveProperty("preferred_language");
  });

  test("a patch merges, null takes away, and what changes nothing moves no version", async () => {
    const { customer_key } = await upsert({
      email,
      name: "Anna",
      attributes: { a: { b: 1, c: 2 } },
      tags: ["x"],
    });
    const patched = await customers.patch(
      customer_key,
      { attributes: { a: { b: null }, d: 3 }, name: null },
      by(1),
    );
    expect(patched.customer).toMatchObject({ attributes: { a: { c: 2 }, d: 3 }, tags: ["x"], version: 2 });
    expect(patched.customer).not.toHaveProperty("name");
    expect((await customers.patch(customer_key, { tags: ["x"] }, by(2))).customer).toEqual(patched.customer);
    await expect(customers.patch(customer_key, { name: "B" }, by(3, 1))).rejects.toMatchObject({
      code: "version_conflict",
    });
    expect((await customers.patch(customer_key, { name: "B" }, by(3, 2))).customer.version).toBe(3);
    await expect(customers.patch("nobody", { name: "B" }, by())).rejects.toMatchObject({ code: "not_found" });
    await expect(customers.get("nobody")).rejects.toMatchObject({ code: "not_found" });
    await expect(customers.put("104", { name: "C" }, by(0, 1))).rejects.toMatchObject({
      code: "version_conflict",
    });
  });

  test("attributes have the limits of a session's documents", async () => {
    const big = { text: "x".repeat(200_000) };
    await customers.put("103", { attributes: big }, by());
    await expect(customers.patch("103", { attributes: { more: big } }, by(1))).rejects.toMatchObject({
      code: "payload_too_large",
    });
    const keys = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`k${i}`, 1]));
    await expect(customers.put("104", { attributes: keys }, by())).rejects.toMatchObject({
      code: "payload_too_large",
    });
    expect((await customers.get("103")).attributes).toEqual(big);
  });

  test("fifty calls at once for one e-mail make one customer", async () => {
    // Connections are opened before, or the first calls are over when the last ones come.
    await Promise.all(Array.from({ length: 50 }, () => customers.find({}, undefined, 1)));
    const saved = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        customers.upsert({ email, ...(i % 2 && { phone: anna.phone }), attributes: { [`a${i}`]: i } }, by(i)),
      ),
    );
    expect(saved.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(saved.map(({ customer }) => customer.customer_key)).size).toBe(1);
    const { items } = await customers.find({ email }, undefined, 10);
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ email, phone: anna.phone });
    expect(Object.keys(items[0]!.attributes)).toHaveLength(50);
    expect(await owner()`select count(*)::int from public.customers`).toMatchObject([{ count: 1 }]);
  });

  test("a customer who talked is found by phone, named, and their session knows the contacts", async () => {
    const { session } = await store.hear(
      said("whatsapp", { whatsapp_user_id: "DE.a", phone: anna.phone }, "1"),
      minute(0),
    );
    const { created, customer } = await customers.put("103", { phone: anna.phone, email }, by(1));
    expect(created).toBe(false);
    expect(customer.identities).toEqual({ whatsapp_user_id: "DE.a", phone: anna.phone, email });
    expect(await store.sessions.find({ customer_id: "103" }, minute(2))).toMatchObject([
      { session_id: session.session_id, customer_id: "103", email, phone: anna.phone },
    ]);
    await customers.patch("103", { phone: null }, by(2));
    const [later] = await store.sessions.find({ customer_id: "103" }, minute(3));
    expect(later).not.toHaveProperty("phone");
    expect(later!.version).toBeGreaterThan(session.version);
  });

  test("what another customer has is refused, names them, and changes nothing", async () => {
    const one = await upsert({ customer_id: "103", email });
    const other = await upsert({ phone: ben.phone });
    const taken = [one, other].map(({ customer_key, customer_id = null }) => ({ customer_key, customer_id }));
    const both = conflict({ customers: taken.sort((a, b) => (a.customer_key < b.customer_key ? -1 : 1)) });
    await expect(customers.patch("103", { phone: ben.phone, name: "X" }, by(1))).rejects.toMatchObject(both);
    await expect(customers.upsert({ email, phone: ben.phone }, by(1))).rejects.toMatchObject(both);
    await expect(customers.patch(other.customer_key, { customer_id: "103" }, by(1))).rejects.toMatchObject(
      both,
    );
    await expect(customers.put("104", { email }, by(1))).rejects.toMatchObject({ code: "customer_conflict" });
    await expect(customers.patch("103", { customer_id: "105" }, by(1))).rejects.toMatchObject({
      code: "customer_conflict",
    });
    expect(await customers.get("103")).toEqual(one);
    expect(await customers.get(other.customer_key)).toEqual(other);
  });

  test("a phone that was typed at a kiosk is theirs by the back office's word, with the session", async () => {
    const typed = await typeIn(store, 1, anna.phone, minute(0));
    const known = await upsert({ email, name: "Anna" }, 1);
    const { customer, effects } = await customers.patch(known.customer_key, { phone: anna.phone }, by(2));
    expect(customer).toMatchObject({ email, phone: anna.phone, phone_verified: true, name: "Anna" });
    expect(effects.closed).toEqual([hash(1)]);
    await expectToken(store, hash(1), undefined, minute(3));
    expect(await store.sessions.find({ identities: { email } }, minute(3))).toMatchObject([
      { session_id: typed.session_id, phone: anna.phone },
    ]);
  });

  test("a search finds the beginnings of words, whatever their case and accents", async () => {
    const given: [string, CustomerFields][] = [
      ["a-1", { name: "Zoë Müller-Łukasz", email: "zoe_m@example.com", phone: "+4915112340001" }],
      ["a-2", { name: "Jean-Élie Straße", email: "zoexm@example.com" }],
      ["b-3", { name: "अनीता शर्मा" }],
      ["b-4", { name: "محمد علي", phone: "+4915112349999" }],
    ];
    for (const [at, [id, fields]] of given.entries()) await customers.put(id, fields, by(at));
    expect(await names("muller")).toEqual(["Zoë Müller-Łukasz"]);
    expect(await names("MÜL zoe")).toEqual(["Zoë Müller-Łukasz"]);
    expect(await names("luka")).toEqual(["Zoë Müller-Łukasz"]);
    expect(await names("elie strass")).toEqual(["Jean-Élie Straße"]);
    expect(await names("uller")).toEqual([]);
    expect(await names("अनी")).toEqual(["अनीता शर्मा"]);
    expect(await names("مُحَمَّد")).toEqual(["محمد علي"]);
    expect(await names("a-")).toEqual(["Zoë Müller-Łukasz", "Jean-Élie Straße"]);
    expect(await names("a 2")).toEqual(["Jean-Élie Straße"]);
    expect(await names("zoe_")).toEqual(["Zoë Müller-Łukasz"]);
    expect(await names("ZOEX")).toEqual(["Jean-Élie Straße"]);
    expect(await names("+49 151 1234")).toEqual(["Zoë Müller-Łukasz", "محمد علي"]);
    expect(await names("4915112349")).toEqual(["محمد علي"]);
    for (const nothing of ["%", "_", "' or 1=1", "!!", "\\", ":*", "&|!()"])
      expect(await names(nothing)).toEqual([]);
    expect((await customers.find({ email: "zoe_m@example.com" }, undefined, 9)).items).toHaveLength(1);
    expect((await customers.find({ phone: "+4915112349999" }, undefined, 9)).items).toHaveLength(1);
  });

  test("pages have everybody once, in the order in which they came", async () => {
    for (let i = 0; i < 7; i++) await customers.put(`c-${i}`, { name: `Paula ${i}` }, by(i));
    for (const query of [{}, { q: "pau" }, { q: "c-" }]) {
      const seen: (string | undefined)[] = [];
      let after: string | undefined;
      do {
        const page = await customers.find(query, after, 3);
        seen.push(...page.items.map(({ customer_id }) => customer_id));
        after = page.after;
      } while (after);
      expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => `c-${i}`));
    }
  });

  test("two who are one person are merged by the shop's word: everything of both, and the tokens die", async () => {
    const web = await begin(store, 1, { email: "x@example.com" }, minute(0), { data: { cart: ["tea"] } });
    const chat = await store.hear(said("whatsapp", { phone: anna.phone }, "1"), minute(1));
    const one = await customers.put(
      "103",
      { email: "x@example.com", name: "Anna", tags: ["a", "b"], attributes: { size: "M", n: 1 } },
      by(2),
    );
    const other = (
      await customers.upsert(
        {
          phone: anna.phone,
          name: "Anna B.",
          plan: "premium",
          tags: ["b", "c"],
          attributes: { size: "L", m: 2 },
          preferred_language: "de",
        },
        by(3),
      )
    ).customer;
    const { customer, effects } = await customers.merge(other.customer_key, "103", [], by(4));
    expect(customer).toMatchObject({
      customer_key: one.customer.customer_key,
      customer_id: "103",
      name: "Anna",
      email: "x@example.com",
      phone: anna.phone,
      plan: "premium",
      tags: ["a", "b", "c"],
      preferred_language: "de",
      attributes: {
        size: "M",
        n: 1,
        m: 2,
        merge_conflicts: [
          { path: "attributes.size", value: "L", customer_key: other.customer_key },
          { path: "name", value: "Anna B.", customer_key: other.customer_key },
        ],
      },
    });
    expect(effects).toMatchObject({ merged: [chat.session.session_id], closed: [hash(1)] });
    await expectToken(store, hash(1), undefined, minute(5));
    await expect(customers.get(other.customer_key)).rejects.toMatchObject({ code: "not_found" });
    expect(await store.sessions.find({ identities: { phone: anna.phone } }, minute(5))).toMatchObject([
      { session_id: web.session_id, message_count: 1, data: { cart: ["tea"] } },
    ]);
    const lines = await auditOf(store, actor);
    expect(lines.map(({ action }) => action)).toEqual(["customer.put", "customer.upsert", "customer.merge"]);
    expect(lines.at(-1)).toMatchObject({
      subject: `customer:${one.customer.customer_key}`,
      details: { merged: other.customer_key, gave_up: [] },
    });
    expect(JSON.stringify(lines)).not.toMatch(/Anna|example\.com|\+49/);
  });

  test("where two differ the call must say what is given up", async () => {
    await customers.put("103", { phone: anna.phone, email }, by());
    await customers.put("104", { phone: ben.phone }, by());
    await expect(customers.merge("104", "103", [], by(1))).rejects.toMatchObject(
      conflict({ differ: ["customer_id", "phone"] }),
    );
    await expect(customers.merge("104", "103", ["phone"], by(1))).rejects.toMatchObject(
      conflict({ differ: ["customer_id"] }),
    );
    expect((await customers.get("104")).phone).toBe(ben.phone);
    const { customer } = await customers.merge("104", "103", ["phone", "customer_id"], by(1));
    expect(customer).toMatchObject({ customer_id: "103", phone: anna.phone, email });
    expect((await customers.find({ phone: ben.phone }, undefined, 9)).items).toEqual([]);
    await expect(customers.merge("103", "103", [], by(2))).rejects.toMatchObject({ code: "malformed" });
    await expect(customers.merge("103", "nobody", [], by(2))).rejects.toMatchObject({ code: "not_found" });
  });

  test("what a proof joins is united too", async () => {
    await customers.put("103", { phone: anna.phone, tags: ["a"], attributes: { n: 1 } }, by());
    await store.hear(
      said("telegram", { telegram_chat_id: "7001" }, "1", { profile: { name: "Anna", username: "anna" } }),
      minute(1),
    );
    const { session } = await store.hear(
      said("telegram", { telegram_chat_id: "7001", phone: anna.phone }, "2"),
      minute(2),
    );
    expect(session.customer_id).toBe("103");
    expect(await customers.get("103")).toMatchObject({
      name: "Anna",
      tags: ["a"],
      attributes: { n: 1 },
      profile: { name: "Anna", username: "anna", channel: "telegram" },
      identities: { telegram_chat_id: "7001", phone: anna.phone },
    });
  });

  test("what a messenger says of its user reaches the customer and the bot's turn, and never over the shop's word", async () => {
    const from = { telegram_chat_id: "7001", phone: anna.phone };
    const profile = { name: "Anna", username: "anna", language: "de" };
    const first = await store.hear(said("telegram", from, "1", { profile }), minute(0));
    expect(first.turn!.customer).toEqual({
      name: "Anna",
      plan: "basic",
      tags: [],
      attributes: {},
      profile: { ...profile, channel: "telegram" },
    });
    const id = (await customers.find({ phone: anna.phone }, undefined, 1)).items[0]!.customer_key;
    // Another messenger's name is not taken for news, message by message.
    await store.hear(said("whatsapp", { phone: anna.phone }, "2", { profile: { name: "A. B." } }), minute(5));
    await store.hear(said("telegram", from, "3", { profile: { name: "Anna K." } }), minute(10));
    expect(await customers.get(id)).toMatchObject({
      name: "Anna K.",
      version: 1,
      profile: { username: "anna" },
    });
    await customers.patch(id, { name: "Dr. Koch", plan: "premium" }, by(11));
    await store.conversations.complete(first.turn!, [], minute(11));
    const later = await store.hear(said("telegram", from, "4", { profile: { name: "Annie" } }), minute(15));
    expect(await customers.get(id)).toMatchObject({ name: "Dr. Koch", profile: { name: "Annie" } });
    expect(later.session).not.toHaveProperty("profile");
  });

  test("an e-mail in a session's metadata is a claim: seen by the shop, and nobody's proof", async () => {
    const known = await upsert({ email, name: "Anna" });
    const page = await begin(store, 1, { visitor_id: "v1" }, minute(1));
    const update = (metadata: object) =>
      store.sessions.update({ token_hash: hash(1) }, { metadata: metadata as never }, minute(2));
    await update({ email: " Anna@Example.com ", phone: "+49 151 12345601", plan: "premium" });
    const { items } = await customers.find({ email }, undefined, 10);
    expect(items).toMatchObject([
      { customer_key: known.customer_key, email_verified: true },
      {
        email,
        email_verified: false,
        phone: anna.phone,
        phone_verified: false,
        plan: "basic",
        identities: { visitor_id: "v1" },
      },
    ]);
    // Nothing was joined, and the session that said it sees nothing of the other.
    expect(await store.sessions.find({ identities: { email } }, minute(3))).toEqual([]);
    const { items: pairs, after } = await customers.duplicates(undefined, 10);
    expect(after).toBeUndefined();
    expect(
      pairs.map(({ customers, reasons }) => [customers.map(({ customer_key }) => customer_key), reasons]),
    ).toEqual([[items.map(({ customer_key }) => customer_key), ["email"]]]);
    for (const odd of [
      { email: 7 },
      { email: "no" },
      { phone: "12" },
      { email: { a: 1 } },
      { phone: ["+49"] },
    ])
      expect((await update(odd)).session_id).toBe(page.session_id);
    expect((await customers.get(items[1]!.customer_key)).email).toBe(email);
    await update({ email: "Other@Example.com" });
    await customers.patch(items[1]!.customer_key, { email: "shop@example.com" }, by(3));
    expect(await customers.get(items[1]!.customer_key)).toMatchObject({
      email: "shop@example.com",
      claimed: { email: "other@example.com", phone: anna.phone },
    });
    // Somebody's now, so the device that was there before has to prove who it is.
    await expectToken(store, hash(1), undefined, minute(3));
    await customers.patch(items[1]!.customer_key, { email: null }, by(4));
    const { session_id } = page;
    await store.sessions.update({ session_id }, { metadata: { phone: null } as never }, minute(4));
    const emptied = await customers.get(items[1]!.customer_key);
    expect(emptied).toMatchObject({ claimed: {}, identities: { visitor_id: "v1" } });
    expect(emptied).not.toHaveProperty("email");
  });

  test("duplicates are proposed by a claimed phone and by name, with the reasons, in pages", async () => {
    const a = await upsert({ email: "1@example.com", name: "Ana María Ruiz" }, 0);
    const b = await upsert({ phone: anna.phone, name: "ana maria RUIZ" }, 1);
    await upsert({ phone: ben.phone, name: "Ana María Ruiz" }, 2);
    await upsert({ email: "2@example.com", name: "Ana" }, 3);
    await upsert({ email: "3@example.com", name: "Ana" }, 4);
    await begin(store, 1, { visitor_id: "v1" }, minute(6));
    await store.sessions.update({ token_hash: hash(1) }, { metadata: { phone: anna.phone } }, minute(7));
    const seen: unknown[] = [];
    let after: string | undefined;
    do {
      const page = await customers.duplicates(after, 1);
      seen.push(
        ...page.items.map(({ customers: [one, other], reasons }) => [
          one.name,
          one.phone,
          other.phone,
          reasons,
        ]),
      );
      after = page.after;
    } while (after);
    expect(seen).toEqual([
      ["Ana María Ruiz", undefined, anna.phone, ["name"]],
      ["Ana María Ruiz", undefined, ben.phone, ["name"]],
      ["ana maria RUIZ", anna.phone, anna.phone, ["phone"]],
    ]);
    await customers.merge(a.customer_key, b.customer_key, [], by(8));
    expect((await customers.duplicates(undefined, 9)).items.map(({ reasons }) => reasons)).toEqual([
      ["phone"],
    ]);
  });

  test("a message whose profile says nothing new writes nothing of the customer", async () => {
    const from = { telegram_chat_id: "7001" };
    const hear = (n: number, profile?: object) =>
      store.hear(said("telegram", from, String(n), profile && { profile }), minute(n * 5));
    const row = async () => String((await owner()`select xmin::text from public.customers`)[0]!.xmin);
    await hear(1, { name: "Anna", username: "anna" });
    const before = await row();
    await hear(2, { name: "Anna", username: "anna" });
    await hear(3, { name: "Anna" });
    await hear(4);
    expect(await row()).toBe(before);
    await hear(5, { name: "Anne" });
    expect(await row()).not.toBe(before);
  });

  test("two merges the other way round at once make one customer, and so does a put amid messages", async () => {
    for (let round = 0; round < 10; round++) {
      const [a, b] = [`a-${round}`, `b-${round}`];
      await customers.put(a, { email: `${a}@example.com` }, by());
      await customers.put(b, { phone: `+4915112340${100 + round}` }, by());
      const all = await Promise.allSettled([
        customers.merge(a, b, ["customer_id"], by(1)),
        customers.merge(b, a, ["customer_id"], by(1)),
        store.hear(said("whatsapp", { phone: `+4915112340${100 + round}` }, `m${round}`), minute(1)),
        customers.patch(b, { attributes: { round } }, by(1)),
      ]);
      for (const one of all)
        if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "not_found" });
      expect(all.slice(0, 2).filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const { items } = await customers.find({ email: `${a}@example.com` }, undefined, 9);
      expect(items).toMatchObject([{ phone: `+4915112340${100 + round}` }]);
      expect(
        await store.sessions.find({ identities: { email: `${a}@example.com` } }, minute(2)),
      ).toHaveLength(1);
    }
  });

  test("one phone told by many calls and many messages at once is one customer with one session", async () => {
    const { phone } = anna;
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => [
        customers.upsert({ phone, tags: [`t${i}`] }, by(1)),
        customers.put("103", { phone, name: `n${i}` }, by(1)),
        store.hear(said("whatsapp", { phone, whatsapp_user_id: "DE.a" }, `m${i}`), minute(1)),
      ]).flat(),
    );
    const { items } = await customers.find({}, undefined, 9);
    expect(items).toMatchObject([{ customer_id: "103", phone, identities: { whatsapp_user_id: "DE.a" } }]);
    expect(await store.sessions.find({ customer_id: "103" }, minute(2))).toMatchObject([
      { message_count: 20 },
    ]);
  });

  test("an erasure leaves nothing of it, by the hub's name for the customer too", async () => {
    const { customer_key } = await upsert({
      email,
      phone: anna.phone,
      name: "CANARY",
      attributes: { a: "CANARY" },
      tags: ["CANARY"],
    });
    await store.hear(
      said("whatsapp", { phone: anna.phone }, "1", { profile: { name: "CANARY" } }),
      minute(1),
    );
    const exported = await store.privacy.export(
      { customer_id: customer_key },
      undefined,
      100,
      actor,
      minute(2),
    );
    expect(exported.customer).toMatchObject({
      customer_key,
      name: "CANARY",
      attributes: { a: "CANARY" },
      email,
    });
    const erased = await store.privacy.erase({ customer_id: customer_key }, actor, minute(3));
    expect(erased.identities).toEqual([
      { kind: "phone", value: anna.phone },
      { kind: "email", value: email },
    ]);
    await expect(customers.get(customer_key)).rejects.toMatchObject({ code: "not_found" });
    expect((await customers.find({ q: "canary" }, undefined, 9)).items).toEqual([]);
    for (const table of ["customers", "identities", "sessions", "messages", "audit"])
      expect(JSON.stringify(await owner()`select * from ${owner()(table)}`)).not.toMatch(
        /CANARY|anna@example/,
      );
    expect((await auditOf(store, actor)).map(({ action }) => action)).toEqual([
      "customer.upsert",
      "export",
      "erase",
    ]);
  });
});
