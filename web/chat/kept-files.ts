/** A file that waits to be sent. */
export interface KeptFile {
  readonly externalId: string;
  readonly kind: "image" | "video" | "audio" | "document";
  readonly isVoice: boolean;
  readonly name: string;
  readonly blob: Blob;
}

/** Files in the browser's own database, so that they survive a reload and the next page of the shop. All tabs share them. */
export interface KeptFiles {
  /** In the order in which they came. Empty if the browser keeps nothing. */
  all(): Promise<readonly KeptFile[]>;
  /** False if the browser does not keep it. */
  put(file: KeptFile): Promise<boolean>;
  remove(externalId: string): Promise<void>;
  clear(): Promise<void>;
}

const STORE = "files";

export function keptFiles(name: string): KeptFiles {
  let opening: Promise<IDBDatabase> | undefined;

  function open(): Promise<IDBDatabase> {
    opening ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { autoIncrement: true });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return opening;
  }

  /** A browser may deny its storages; then files live as long as the page. */
  async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>) {
    try {
      const transaction = (await open()).transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      return await new Promise<T>((resolve, reject) => {
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = () => reject(transaction.error);
      });
    } catch {
      return undefined;
    }
  }

  return {
    all: async () => (await run<KeptFile[]>("readonly", (store) => store.getAll())) ?? [],
    put: async (file) => (await run("readwrite", (store) => store.add(file))) !== undefined,
    async remove(externalId) {
      await run("readwrite", (store) => {
        const request = store.openCursor();
        request.onsuccess = () => {
          const cursor = request.result;
          if (cursor?.value.externalId === externalId) cursor.delete();
          cursor?.continue();
        };
        return request;
      });
    },
    async clear() {
      await run("readwrite", (store) => store.clear());
    },
  };
}
