import pkg from "../package.json" with { type: "json" };
import { type Assembly, assemble } from "./compose/assembly.ts";
import { log } from "./compose/log.ts";
import { sweepOnce } from "./compose/sweep.ts";
import type { Env } from "./core/settings.ts";
import { mediaOf } from "./features/media/options.ts";
import { liveRoom } from "./http/live/room.ts";

const assemblies = new WeakMap<Env, Assembly>();

export default {
  fetch(request, env, context) {
    return assemblyOf(env).app.fetch(request, env, context);
  },

  async scheduled(_event, env, context) {
    await sweepOnce(assemblyOf(env), log, (work) => context.waitUntil(work));
  },
} satisfies ExportedHandler<Env>;

/** The Durable Object class of the binding `LIVE`: the connected devices of one session. */
export const LiveRoom = liveRoom((env) => {
  const { hub, close } = assemblyOf(env).open(log, () => {});
  return { store: hub.store, links: mediaOf(hub).links, close };
}, log);

function assemblyOf(env: Env): Assembly {
  let assembly = assemblies.get(env);
  if (!assembly) {
    assembly = assemble(env, pkg.version, log);
    assemblies.set(env, assembly);
  }
  return assembly;
}
