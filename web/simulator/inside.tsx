import { useRef } from "preact/hooks";
import { BadDays } from "./bad-days.tsx";
import { LogPanel } from "./log-panel.tsx";
import { Sessions } from "./sessions.tsx";
import { shown, tab } from "./state.ts";
import { WirePanel } from "./wire-panel.tsx";
import { say } from "./words.ts";

const TABS = ["hub", "wire", "log", "faults"] as const;
const WORDS = { hub: "hub", wire: "wire", log: "log", faults: "badDays" } as const;

/** The fifth column: what the devices do not show. */
export function Inside() {
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const turn = getComputedStyle(list.current!).direction === "rtl" ? -1 : 1;
    const step = { ArrowRight: turn, ArrowLeft: -turn }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    tab.value = TABS[(TABS.indexOf(tab.value) + step + TABS.length) % TABS.length]!;
    list.current!.querySelector<HTMLElement>(`#tab-${tab.value}`)?.focus();
  };
  const armed = shown.value!.faults.length;
  return (
    <aside class="s-inside" aria-label={say("inside")}>
      <div class="s-tabs" role="tablist" aria-label={say("inside")} ref={list} onKeyDown={move}>
        {TABS.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={tab.value === name}
            aria-controls="panel"
            tabIndex={tab.value === name ? 0 : -1}
            onClick={() => (tab.value = name)}
          >
            {say(WORDS[name])}
            {name === "faults" && armed > 0 && (
              <span class="s-badge" data-pulse="">
                {armed}
              </span>
            )}
          </button>
        ))}
      </div>
      <div class="s-panel" role="tabpanel" id="panel" aria-labelledby={`tab-${tab.value}`} tabIndex={0}>
        {tab.value === "hub" && <Sessions />}
        {tab.value === "wire" && <WirePanel />}
        {tab.value === "log" && <LogPanel />}
        {tab.value === "faults" && <BadDays />}
      </div>
    </aside>
  );
}
