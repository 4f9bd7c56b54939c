import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { post } from "../support/http.ts";
import { begin, startHub } from "../support/live-hub.ts";
import { lastOf, type ModelServer, startModelServer } from "../support/model-server.ts";
import { ownEnvironment, type Program, run } from "../support/program.ts";
import { createDatabase } from "../support/stack.ts";

const ADMIN = { "x-api-key": "admin-key" };

let model: ModelServer;
beforeAll(async () => {
  model = await startModelServer();
});
afterAll(() => model.stop());

async function say(hub: string, headers: Record<string, string>, text: string): Promise<any> {
  const phone = "x-api-key" in headers ? { phone: "+5511987654321" } : {};
  const body = { external_id: crypto.randomUUID(), ...phone, text };
  const answer = await fetch(`${hub}/webhooks/web?wait=20`, post(body, headers));
  return answer.json();
}

describe("under workerd, over Postgres", () => {
  let hub: Awaited<ReturnType<typeof startHub>>;
  beforeAll(async () => {
    const { url } = await createDatabase();
    hub = await startHub(url, await freePort(), {
      ADMIN_API_KEY: "admin-key",
      CONVERSATION_STORAGE_BACKEND: "postgres",
      BOT: "llm",
      LLM_BASE_URL: model.url,
      LLM_MODEL: "test-model",
      LLM_API_KEY: "the key",
      LLM_TIMEOUT_SECONDS: "2",
    });
  });
  afterAll(() => hub.stop());

  test("answers, books with a tool, and names the document that it answers from", async () => {
    const health: any = await (await fetch(`${hub.url}/health`, { headers: ADMIN })).json();
    expect(health).toMatchObject({ status: "ok", bot: "llm" });
    const { bearer } = await begin(hub.url);
    const document = { title: "Opening hours", text: "We are open until six." };
    const written = await fetch(`${hub.url}/api/knowledge/hours`, {
      ...post(document, ADMIN),
      method: "PUT",
    });
    expect(written.status).toBe(201);
    const table = { name: "Anna", datetime: "2999-12-01T19:00:00Z", guests: 2 };
    model.think((_, n) => {
      if (n > 0) return "Booked. We are open until six [1].";
      return {
        calls: [
          ["search_knowledge", { query: "open" }],
          ["book_reservation", table],
        ],
      };
    });
    const { replies } = await say(hub.url, bearer, "A table for two, and when do you close?");
    expect(replies.map((reply: any) => reply.text)).toEqual([
      "Booked. We are open until six [1].\n\nSources: [1] Opening hours",
    ]);
    expect(JSON.parse(lastOf(model.asked[1]!, "tool"))).toMatchObject({ result: expect.any(String) });
    const booked: any = await (await fetch(`${hub.url}/api/reservations`, { headers: bearer })).json();
    expect(booked.reservations).toMatchObject([{ name: "Anna", guests: 2, status: "booked" }]);
  });

  test("hands over from a model that is too slow, or sends without end", async () => {
    for (const slow of [
      () => new Promise<never>(() => {}),
      () => (response: any) => {
        response.writeHead(200, { "content-type": "application/json" }).write('{"choices": [');
        const drip = setInterval(() => response.write(" "), 100);
        response.on("close", () => clearInterval(drip));
      },
    ]) {
      model.think(slow);
      const { bearer } = await begin(hub.url);
      const { replies } = await say(hub.url, bearer, "Hello?");
      expect(replies.map((reply: any) => reply.text)).toEqual([
        "I cannot answer this here. I have passed it on to a person, who will write to you.",
      ]);
    }
    const metrics = await (await fetch(`${hub.url}/metrics`, { headers: ADMIN })).text();
    expect(metrics).toContain('hub_handoffs_total{channel="web"} 2');
    expect(metrics).toContain("hub_llm_turns_total 3");
  });
}, 60_000);

describe("npm run dev with LLM_BASE_URL and LLM_MODEL", () => {
  let env: Awaited<ReturnType<typeof ownEnvironment>>;
  let stack: Program | undefined;
  afterAll(async () => {
    stack?.child.kill("SIGINT");
    await stack?.ended;
    await rm(env.LOCAL_DIR, { recursive: true, force: true });
  });

  test("answers on the web page from the model on this machine, with nothing else set", async () => {
    env = await ownEnvironment();
    stack = run({ ...env, LLM_BASE_URL: model.url, LLM_MODEL: "qwen3:8b" }, "dev/dev.ts");
    await stack.says("Ctrl-C stops everything");
    model.think(({ body }) => `${body.model} has read: ${body.messages.at(-1)!.content}`);
    const { replies } = await say(
      `http://127.0.0.1:${env.PORT}`,
      { "x-api-key": "dev-web-key" },
      "Hello",
    ).catch((cause) => {
      throw new Error(stack!.output(), { cause });
    });
    expect(replies?.map((reply: any) => reply.text)).toEqual(["qwen3:8b has read: Hello"]);
  });
}, 180_000);
