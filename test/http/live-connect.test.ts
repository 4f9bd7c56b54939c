import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browse, dial, isReady, type OpenDevice, refusal, textsOf } from "../support/live.ts";
import { begin, type LiveHub, say, startLiveHub } from "../support/live-hub.ts";

let hub: LiveHub;

beforeAll(async () => {
  hub = await startLiveHub();
}, 120_000);

afterAll(() => hub?.stop());

describe("who may connect", () => {
  test("a browser shows its token as a subprotocol, and the answer names only the other one", async () => {
    const device = await browse(hub.url, (await begin(hub.url)).token);
    expect(device.protocol).toBe("hub.v1");
    await device.until(isReady);
    expect(device.frames).toEqual([{ type: "ready", cursor: "0", epoch: expect.any(String) }]);
    await device.close();
  });

  test("a program shows it in a header, with or without the subprotocol", async () => {
    const { bearer } = await begin(hub.url);
    const device = await dial(hub.url, bearer);
    expect(device.protocol).toBe("");
    await device.until(isReady);
    await device.close();
    const asked = await refusal(hub.url, { ...bearer, "sec-websocket-protocol": "hub.v1" });
    expect([asked.status, asked.headers["sec-websocket-protocol"]]).toEqual([101, "hub.v1"]);
  });

  test("an invalid token is refused before the connection is accepted", async () => {
    const signedOut = await begin(hub.url);
    await fetch(`${hub.url}/session/signout`, { method: "POST", headers: signedOut.bearer });
    const expired = await begin(hub.url);
    const sql = postgres(hub.databaseUrl, { max: 1 });
    await sql`update sessions set expires_at = now() - interval '1 hour' where session_id = ${expired.id}`;
    await sql.end();
    const offering = (token: string) => ({ "sec-websocket-protocol": `hub.v1, ${token}` });
    const refused: [Record<string, string>, number, string][] = [
      [{}, 401, "unauthorized"],
      [{ "sec-websocket-protocol": "hub.v1" }, 401, "unauthorized"],
      [{ "x-api-key": "web-key" }, 401, "unauthorized"],
      [offering("web-key"), 401, "unauthorized"],
      [offering("hst_made-up"), 404, "session_not_found"],
      [offering(`${signedOut.token}x`), 404, "session_not_found"],
      [offering(signedOut.token), 404, "session_not_found"],
      [offering(expired.token), 404, "session_expired"],
    ];
    for (const [headers, status, code] of refused)
      expect(await refusal(hub.url, headers)).toMatchObject({ status, code });
    const inUrl = await refusal(hub.url, {}, `?token=${(await begin(hub.url)).token}`);
    expect(inUrl).toMatchObject({ status: 400, code: "malformed" });
  });

  test("a request that asks for something else is refused", async () => {
    const { token, bearer } = await begin(hub.url);
    const malformed = { status: 400, code: "malformed" };
    expect(await refusal(hub.url, { ...bearer, upgrade: "h2c" })).toMatchObject(malformed);
    expect(await refusal(hub.url, { "sec-websocket-protocol": token })).toMatchObject(malformed);
    expect(await refusal(hub.url, { ...bearer, "sec-websocket-protocol": "mqtt" })).toMatchObject(malformed);
    expect(await refusal(hub.url, bearer, "?after=x")).toMatchObject(malformed);
  });

  test("only pages of allowed origins connect, and our own", async () => {
    const { bearer } = await begin(hub.url);
    for (const origin of ["https://shop.example", hub.url])
      expect(await refusal(hub.url, { ...bearer, origin })).toMatchObject({ status: 101 });
    for (const origin of ["https://evil.example", "https://shop.example.evil.example", "null"])
      expect(await refusal(hub.url, { ...bearer, origin })).toMatchObject({ status: 403, code: "forbidden" });
  });

  test("a device gets events of its own session only", async () => {
    const [mine, theirs] = [await begin(hub.url), await begin(hub.url)];
    const device = await browse(hub.url, mine.token);
    await say(theirs, "theirs");
    await say(mine, "mine");
    await device.until((it) => textsOf(it).length === 2);
    expect(new Set(device.of("message").map(({ message }) => message.session_id))).toEqual(
      new Set([mine.id]),
    );
    await device.close();
  });

  test("the oldest connection is closed when a session has too many", async () => {
    const { token } = await begin(hub.url);
    const devices: OpenDevice[] = [];
    for (let i = 0; i < 33; i++) devices.push(await browse(hub.url, token));
    expect(await devices[0]!.closed).toEqual({ code: 4008, reason: "crowded" });
    await devices[32]!.until(isReady);
    for (const device of devices.slice(1)) await device.close();
  });
});
