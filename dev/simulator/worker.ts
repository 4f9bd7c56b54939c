import { bots } from "../../src/bots/index.ts";
import type { Bot } from "../../src/core/answer/bot.ts";
import type { Env } from "../../src/core/settings.ts";
import worker, { LiveRoom as Room } from "../../src/worker.ts";
import { type BotFault, CLOCK_PATH } from "./worker-control.ts";

/**
 * The Worker of `npm run dev`: the hub's own, with a clock that the simulator sets ahead and a bot that it makes slow or
 * broken. A deployed Worker begins at `src/worker.ts`, and has none of this.
 */
export default {
  async fetch(request, env, context) {
    aheadMs ??= Number(env.SIMULATOR_AHEAD_MS ?? 0);
    const { pathname, search } = new URL(request.url);
    // The calls of a device's frame are told to the simulator, which passes them on.
    if (pathname.startsWith("/simulator/") || request.headers.has("x-simulator-device"))
      return fetch(new Request(`${env.SIMULATOR_URL}${pathname}${search}`, request));
    if (pathname !== CLOCK_PATH) return worker.fetch(request, env, context);
    aheadMs = Number(await request.text());
    return new Response(null, { status: 204 });
  },
  async scheduled(event, env, context) {
    aheadMs ??= Number(env.SIMULATOR_AHEAD_MS ?? 0);
    await worker.scheduled(event, env, context);
  },
} satisfies ExportedHandler<Env>;

/** Undefined until the first event has read it from the settings. */
let aheadMs: number | undefined;

const RealDate = Date;
const now = () => RealDate.now() + (aheadMs ?? 0);
globalThis.Date = new Proxy(RealDate, {
  construct: (_, args) => Reflect.construct(RealDate, args.length === 0 ? [now()] : args),
  get: (_, name) => (name === "now" ? now : Reflect.get(RealDate, name)),
});

/** The room's alarms are kept by the runtime, whose clock is not ahead. */
export class LiveRoom extends Room {
  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const { storage } = context;
    const setAlarm = storage.setAlarm.bind(storage);
    storage.setAlarm = (at) => setAlarm(Number(at) - (aheadMs ?? 0));
  }
}

const makers = bots as Record<string, (typeof bots)[string]>;
for (const [name, make] of Object.entries(bots)) makers[name] = (env, parts) => faulty(make(env, parts), env);

/** A bot that asks the simulator before each turn whether to be slow or to fail. */
function faulty(bot: Bot, { SIMULATOR_URL }: Env): Bot {
  return {
    ...bot,
    async reply(turn, signal, parts) {
      const answer = await fetch(`${SIMULATOR_URL}/simulator/api/turn`, { method: "POST", signal });
      const fault = (await answer.json()) as BotFault;
      if (fault.ms) await new Promise((resolve) => setTimeout(resolve, fault.ms));
      if (fault.throws) throw new Error("the simulator makes the bot fail");
      return bot.reply(turn, signal, parts);
    },
  };
}
