/** `sessionStorage`, `localStorage` or anything like them. */
export interface KeptIn {
  getItem(name: string): string | null;
  setItem(name: string, text: string): void;
  removeItem(name: string): void;
}

/** Values by name, as JSON. */
export interface Box {
  /** Whether other tabs have it too. */
  readonly isShared: boolean;
  get<T>(name: string): T | undefined;
  /** `undefined` removes it. */
  set(name: string, value: unknown): void;
}

/** A box in a browser's storage, shared by its tabs; in memory if there is none, or if the browser denies it. */
export function boxOf(storage: KeptIn | undefined, prefix: string): Box {
  const memory = new Map<string, string>();
  return {
    get isShared() {
      return storage !== undefined;
    },
    get(name) {
      let text = memory.get(name);
      try {
        if (storage) text = storage.getItem(prefix + name) ?? undefined;
      } catch {
        storage = undefined;
      }
      try {
        return text && JSON.parse(text);
      } catch {
        return undefined;
      }
    },
    set(name, value) {
      const text = JSON.stringify(value);
      if (value === undefined) memory.delete(name);
      else memory.set(name, text);
      try {
        if (value === undefined) storage?.removeItem(prefix + name);
        else storage?.setItem(prefix + name, text);
      } catch {
        storage = undefined; // full, or denied: this page goes on in memory
      }
    },
  };
}
