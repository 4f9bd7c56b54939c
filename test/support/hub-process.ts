import { mediaLinks } from "../../src/features/media/links.ts";
import { folderBucket } from "../../src/node/folder.ts";
import { bucketStorage } from "../../src/stores/files/bucket.ts";
import { type NodeHubOptions, startNodeHub } from "./node-hub.ts";

/**
 * Runs a hub in a process of its own, for tests that kill it: `node hub-process.ts <options as JSON>`. With `folder` it keeps uploads
 * there. Logs to stdout.
 */
const { folder, ...options } = JSON.parse(process.argv[2]!) as NodeHubOptions & { folder?: string };
const storage = folder === undefined ? undefined : bucketStorage(folderBucket(folder));
const { sweep } = await startNodeHub({
  ...options,
  ...(storage && { media: { links: mediaLinks([], undefined), maxBytes: 1_000_000, storage } }),
  log: (level, event, fields) => console.log(JSON.stringify({ level, event, ...fields })),
});
process.on("SIGUSR2", () => void sweep());
console.log("ready");
