import { memoryStore } from "../../src/stores/memory.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { bothTransports } from "../support/transports.ts";
import { settings } from "./given.ts";
import { storeContract } from "./store.ts";

const { transports, empty } = bothTransports({ max: 4 });

storeContract("memory", async (over) => memoryStore({ ...settings, ...over }));
for (const [name, call] of transports)
  storeContract(name, async (over) => {
    await empty();
    return sqlStore(call(), { ...settings, ...over });
  });
