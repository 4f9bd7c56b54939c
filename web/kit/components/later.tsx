import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";

/** A component whose code is loaded when it is shown for the first time. Nothing is shown until then; showing it again tries again. */
export function later<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  const loaded = signal<ComponentType<P> | undefined>(undefined);
  return function Later(props: P) {
    useEffect(() => {
      if (!loaded.value)
        load().then(
          (found) => (loaded.value = found),
          () => {},
        );
    }, []);
    const Found = loaded.value;
    return Found ? <Found {...props} /> : null;
  };
}
