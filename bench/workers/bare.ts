import { readWebhook } from "./webhook.ts";

interface Env {
  readonly WHATSAPP_APP_SECRET: string;
}

/** Checks the signature, parses the JSON, and answers 200. */
export default {
  async fetch(request, env) {
    const webhook = await readWebhook(request, env.WHATSAPP_APP_SECRET);
    return webhook ? Response.json({}) : new Response(null, { status: 401 });
  },
} satisfies ExportedHandler<Env>;
