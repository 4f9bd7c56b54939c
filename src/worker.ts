import pkg from "../package.json" with { type: "json" };
import { type Assembly, assemble } from "./compose/assembly.ts";
import { log } from "./compose/log.ts";
import { failureOf, HubError } from "./core/errors.ts";
import type { Env } from "./core/settings.ts";
import { sweep } from "./core/sweep/sweep.ts";
import { liveRoom } from "./http/live/room.ts";

const assemblies = new WeakMap<Env, Assembly>();

export default {
  fetch(request, env, context) {
    return assemblyOf(env).app.fetch(request, env, context);
  },

  async scheduled(_event, env, context) {
    const assembly = assemblyOf(env);
    try {
      const { hub, close } = assembly.open(log, (work) => context.waitUntil(work));
      try {
        await sweep(hub, assembly.sweep);
      } finally {
        await close();
      }
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      // Wrong settings were already logged when the isolate started.
      if (error.code !== "misconfigured") log("warn", "sweep.failed", failureOf(error));
    }
  },
} satisfies ExportedHandler<Env>;

/** The Durable Object class of the binding `LIVE`: the connected devices of one session. */
export const LiveRoom = liveRoom((env) => {
  const { hub, close } = assemblyOf(env).open(log, () => {});
  return { store: hub.store, close };
}, log);

function assemblyOf(env: Env): Assembly {
  let assembly = assemblies.get(env);
  if (!assembly) {
    assembly = assemble(env, pkg.version, log);
    assemblies.set(env, assembly);
  }
  return assembly;
}
