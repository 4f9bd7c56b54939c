import { Webhook } from "standardwebhooks";
import { beforeEach, describe, expect, test } from "vitest";
import echo from "../../src/bots/echo.ts";
import { DEFAULT_POLICY, type Hub } from "../../src/core/hub.ts";
import { drainEvents } from "../../src/features/endpoints/drain.ts";
import type { EndpointFields } from "../../src/features/endpoints/endpoints.ts";
import { EVENT_TYPES } from "../../src/features/endpoints/event.ts";
import { newSecret } from "../../src/features/endpoints/secret.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { anna, ben, type Desk, desk, reply, said, settings } from "../contracts/given.ts";
import { actorOf } from "../contracts/proving.ts";
import type { Line } from "../support/http.ts";
import { recordingCache } from "../support/http.ts";
import { startReceiver } from "../support/receiver.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty, owner } = bothTransports({ max: 20 });
beforeEach(empty);

describe.each(transports)("events, in %s", (_name, call) => {
  let store: Desk;
  let hub: Hub;
  let lines: Line[];
  let clock: number;
  beforeEach(async () => {
    store = await desk(async () => sqlStore(call(), settings));
    lines = [];
    clock = Date.now();
    hub = {
      channels: {},
      store,
      cache: recordingCache(),
      bot: echo(),
      live: { publish: () => {} },
      log: (level, event, fields) => lines.push({ level, event, fields }),
      now: () => new Date(clock),
      sleep: async () => {},
      policy: DEFAULT_POLICY,
      openTargets: true,
    };
  });
  const now = (ms = 0) => new Date(clock + ms);
  const by = () => ({ actor: actorOf(), now: now() });
  const endpoint = (fields: Partial<EndpointFields> & { url: string }, secret = newSecret()) =>
    store.features!.endpoints.create({ types: EVENT_TYPES, ...fields }, secret, by());
  const drain = (over: Partial<Hub> = {}) => drainEvents({ ...hub, ...over }, { ms: 60_000, events: 10_000 });

  test("a message, its reply and what becomes of it are posted, signed, in order", async () => {
    const { url, got } = await startReceiver();
    const secret = newSecret();
    await endpoint({ url }, secret);
    const delivery = await store.answered(said("telegram", anna, "1"), [reply("Hello")], now());
    await store.settleAs(delivery, { state: "sent", external_id: "x1" }, now());
    await drain();
    expect(lines).toEqual([]);
    const types = got.map(({ event }) => event.type);
    expect(types.filter((t) => !t.startsWith("customer"))).toEqual([
      "session.opened",
      "message.received",
      "message.sent",
    ]);
    for (const { body, headers } of got) new Webhook(secret).verify(body, headers);
    console.log(got.map((g) => g.body).join("\n"));
    expect(await owner()`select count(*)::int as n from event_deliveries`).toEqual([{ n: 0 }]);
    void ben;
  });
});
