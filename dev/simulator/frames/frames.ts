import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Hono } from "hono";
import { parsePhoneNumberFromString } from "libphonenumber-js";
import { hangUp, type OnNode, type OnNodeContext } from "../../emulators/server.ts";
import type { Act } from "../act.ts";
import type { Held, PageDevice } from "../devices/page.ts";
import { withoutSecrets } from "../devices/watched.ts";
import type { FrameDevice, FrameState, Person } from "../model.ts";
import { Refused } from "../refused.ts";
import type { WireLog } from "../wire.ts";
import { actOf } from "./act-of.ts";

export interface FrameParts {
  readonly pagesDir: () => string;
  readonly hub: string;
  readonly wire: WireLog;
  /** The kiosk's API key. */
  readonly key: string;
  person(id: string): Person;
  device(person: Person, name: FrameDevice): PageDevice;
  /** The customer has done this in the frame. Called before the hub hears of it. */
  did(person: Person, act: Act): void;
}

/** Names the person and the device of a call that a frame makes. */
const TAG = "x-simulator-device";
const API = ["/session/*", "/api/*", "/auth/*", "/webhooks/kiosk", "/webhooks/web"];
/** The pages of the devices, as they were built. */
const PAGES = { kiosk: "kiosk.html", web: "simulator-shop.html" } as const;
/** As of the deployed pages, but the simulator may frame them, and files come from the hub's own address. */
const policyOf = (hub: string) =>
  `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' ${hub} data: blob:; media-src 'self' ${hub} blob:; ` +
  "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'self'";

/**
 * Serves the real kiosk and a shop's page with the real chat as the frames of the devices, and passes their calls on to the
 * hub. Each frame has storage of its own, as on a device of its own. The simulator follows the session that a frame opens.
 */
export function mountFrames(app: Hono<OnNode>, parts: FrameParts): void {
  const { pagesDir, hub, wire, did } = parts;
  const seen = new Set<string>();
  /** The names of the files that were uploaded. */
  const uploads = new Map<string, string>();

  app.get("/simulator/device/:person/:device", async (c) => {
    const name = c.req.param("device");
    if (name !== "kiosk" && name !== "web") return c.notFound();
    const person = parts.person(c.req.param("person"));
    const state = stateOf(person, parts.device(person, name), name, parts.key);
    const html = await readFile(join(pagesDir(), PAGES[name]), "utf8");
    const script = `<script src="/simulator-frame.js" data-state="${escaped(JSON.stringify(state))}"></script>`;
    return c.body(html.replace("<head>", `<head>${script}`), 200, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policyOf(hub),
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    });
  });
  for (const path of API) app.all(path, (c) => (c.req.header(TAG) ? tagged(c) : passed(c)));

  async function tagged(c: OnNodeContext): Promise<Response> {
    const [id = "", name = ""] = c.req.header(TAG)!.split("/");
    if (name !== "kiosk" && name !== "web")
      throw new Refused(`no device "${name}" has frames`, "notUnderstood");
    const person = parts.person(id);
    const device = parts.device(person, name);
    const { pathname, search } = new URL(c.req.url);
    const bytes = await c.req.arrayBuffer();
    const isJson = c.req.header("content-type")?.startsWith("application/json") ?? false;
    const body = isJson
      ? Buffer.from(bytes).toString()
      : bytes.byteLength > 0
        ? `${bytes.byteLength} bytes`
        : "";
    const act = actOf(name, pathname, isJson ? body : "", person, uploads);
    const { external_id } = act ?? {};
    // The client sends a message again until the hub has it.
    if (act && !(external_id && seen.has(external_id))) for (const one of act.acts) did(person, one);
    if (external_id) seen.add(external_id);

    const began = performance.now();
    const { n } = wire.add({
      ...{ device: name, kind: "page", method: c.req.method, path: pathname + search, body },
      headers: withoutSecrets(headersOf(c, ["authorization", "x-api-key", "content-type"])),
    });
    const ms = () => Math.round(performance.now() - began);
    const opened = pathname === "/session/start" ? device.handOver() : undefined;
    if (opened) {
      const text = JSON.stringify({ session_token: opened.token, session: opened.session });
      wire.finish(n, { status: 200, answer: text, ms: ms() });
      return c.body(text, 200, { "content-type": "application/json" });
    }
    try {
      const answer = await ask(c, bytes);
      const text = answer.headers.get("content-type")?.startsWith("application/json")
        ? await answer.clone().text()
        : "";
      const request_id = answer.headers.get("x-request-id");
      wire.finish(n, { status: answer.status, answer: text, ms: ms(), ...(request_id && { request_id }) });
      if (answer.ok && pathname === "/api/media" && c.req.method === "POST") {
        const { upload } = JSON.parse(text) as { upload: { upload: string; file_name?: string } };
        if (upload.file_name) uploads.set(upload.upload, upload.file_name);
      }
      if (answer.ok) await follow(device, pathname, c.req.header("authorization"), text);
      return answer;
    } catch (error) {
      wire.finish(n, { status: 0, answer: (error as Error).message, ms: ms() });
      return hangUp(c);
    }
  }

  async function passed(c: OnNodeContext): Promise<Response> {
    try {
      return await ask(c, await c.req.arrayBuffer());
    } catch {
      return hangUp(c); // a Worker that is being killed closes connections
    }
  }

  async function ask(c: OnNodeContext, bytes: ArrayBuffer): Promise<Response> {
    const { pathname, search } = new URL(c.req.url);
    const names = ["accept", "authorization", "content-type", "if-match", "origin", "range", "x-api-key"];
    const answer = await fetch(hub + pathname + search, {
      method: c.req.method,
      headers: headersOf(c, names),
      ...(bytes.byteLength > 0 && { body: bytes }),
    });
    const headers = new Headers(answer.headers);
    for (const name of ["content-encoding", "content-length", "transfer-encoding"]) headers.delete(name);
    return new Response(answer.body, { status: answer.status, headers });
  }
}

/** The device follows the token that its frame has now. */
async function follow(
  device: PageDevice,
  path: string,
  authorization: string | undefined,
  answer: string,
): Promise<void> {
  if (path === "/session/signout") return device.left();
  const given = JSON.parse(answer || "{}") as { session_token?: string; session?: Held["session"] };
  // The token of a link is for whoever scans it.
  const token = (path !== "/session/link" && given.session_token) || authorization?.replace(/^Bearer /i, "");
  if (token && !path.startsWith("/api/")) await device.follow(token, given.session);
}

function stateOf(person: Person, page: PageDevice, device: FrameDevice, key: string): FrameState {
  const { id } = person;
  const { held } = page;
  if (device === "web")
    return {
      ...{ person: id, device },
      ...(held && { held: { token: held.token, session_id: held.session.session_id } }),
    };
  const phone = parsePhoneNumberFromString(person.phone);
  if (held) page.offer();
  return {
    ...{ person: id, device, key },
    ...(phone?.country && { country: phone.country }),
    ...(held && { phone: page.openedAs === "customer" ? (phone?.nationalNumber ?? "") : "" }),
  };
}

function headersOf(c: OnNodeContext, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = c.req.header(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
