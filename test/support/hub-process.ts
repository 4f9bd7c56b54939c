import { type NodeHubOptions, startNodeHub } from "./node-hub.ts";

/**
 * Runs a hub in a process of its own, for tests that kill it: `node hub-process.ts <options as JSON>`. Logs to stdout.
 */
const options = JSON.parse(process.argv[2]!) as NodeHubOptions;
const { sweep } = await startNodeHub({
  ...options,
  log: (level, event, fields) => console.log(JSON.stringify({ level, event, ...fields })),
});
process.on("SIGUSR2", () => void sweep());
console.log("ready");
