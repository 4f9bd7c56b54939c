import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** How near to its end a log counts as read to the end, in pixels. */
const NEAR = 80;

export interface LogProps {
  readonly label: string;
  /** Whether what is added is read aloud. False while a history is being loaded: nobody wants to hear all of it. */
  readonly isLive: boolean;
  /** Changes with what is shown; then the end is shown again, if it was shown before. */
  readonly version: unknown;
  readonly children: ComponentChildren;
}

/** The messages of a conversation. It stays at its end unless somebody scrolls up. */
export function Log({ label, isLive, version, children }: LogProps) {
  const element = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    const log = element.current!;
    if (isAtEnd.current) log.scrollTop = log.scrollHeight;
  }, [version]);
  useLayoutEffect(() => {
    const log = element.current!;
    // Its height changes when a keyboard appears, a picture is loaded or the window is opened.
    const watch = new ResizeObserver(() => {
      if (isAtEnd.current) log.scrollTop = log.scrollHeight;
    });
    watch.observe(log);
    return () => watch.disconnect();
  }, []);
  return (
    <div
      class="k-log"
      ref={element}
      role="log"
      aria-label={label}
      aria-live={isLive ? "polite" : "off"}
      tabIndex={0}
      onScroll={({ currentTarget: log }) => {
        isAtEnd.current = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
      }}
    >
      {children}
    </div>
  );
}
