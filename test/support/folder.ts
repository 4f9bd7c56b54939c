import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderBucket } from "../../src/node/folder.ts";
import { bucketStorage } from "../../src/stores/files/bucket.ts";

/** A file storage in a folder of the test's own. */
export async function folderStorage() {
  const folder = await mkdtemp(join(tmpdir(), "hub-media-"));
  return {
    storage: bucketStorage(folderBucket(folder)),
    files: () => readdir(folder),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
