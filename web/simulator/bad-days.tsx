import { signal } from "@preact/signals";
import type { Rule } from "../../dev/simulator/act.ts";
import type { ArmedFault } from "../../dev/simulator/model.ts";
import { Button } from "../kit/components/button.tsx";
import { Field } from "../kit/components/field.tsx";
import { act, shown } from "./state.ts";
import { say, type Word } from "./words.ts";

const TARGETS = ["telegram", "whatsapp", "bot", "database", "cache"] as const;
const EFFECTS: Readonly<Record<ArmedFault["target"], readonly ArmedFault["effect"][]>> = {
  telegram: ["429", "500", "500-after", "silent"],
  whatsapp: ["429", "500", "500-after", "silent"],
  bot: ["slow", "throws"],
  database: ["down", "silent"],
  cache: ["down", "silent"],
};
const WHENS = ["always", "next", "every"] as const;

const target = signal<ArmedFault["target"]>("telegram");
const effect = signal<ArmedFault["effect"]>("429");
const when = signal<(typeof WHENS)[number]>("next");
const count = signal(1);

/** What goes wrong: faults, platforms that deliver badly, a Worker that dies. */
export function BadDays() {
  return (
    <>
      <Arm />
      <ul class="s-armed">
        {shown.value!.faults.map((fault) => (
          <li key={fault.id}>
            <span class="s-badge" data-pulse="">
              {say(fault.target)}: {nameOf(fault.effect)}
            </span>
            <span>
              {whenOf(fault.when)}
              {fault.left !== undefined && ` · ${say("left", { count: fault.left })}`}
            </span>
            <Button look="quiet" onClick={() => act({ do: "disarm", id: fault.id })}>
              {say("disarm")}
            </Button>
          </li>
        ))}
      </ul>
      <Delivering />
      <div class="s-menu">
        <Button look="quiet" onClick={() => act({ do: "sweep" })}>
          {say("sweep")}
        </Button>
        <Button
          look="danger"
          disabled={shown.value!.worker === "starting"}
          onClick={() => act({ do: "kill" })}
        >
          {say("kill")}
        </Button>
      </div>
    </>
  );
}

function Arm() {
  const effects = EFFECTS[target.value];
  const lasts = target.value === "database" || target.value === "cache";
  const arm = (event: Event) => {
    event.preventDefault();
    const kind = lasts ? "always" : when.value;
    const given =
      kind === "always"
        ? "always"
        : kind === "next"
          ? { next: count.value }
          : { every: Math.max(2, count.value) };
    void act({ do: "arm", rule: { target: target.value, effect: effect.value, when: given } as Rule });
  };
  return (
    <form class="s-arm" onSubmit={arm}>
      <Field label={say("what")}>
        {(input) => (
          <select
            {...input}
            value={target.value}
            onChange={(event) => {
              target.value = event.currentTarget.value as ArmedFault["target"];
              effect.value = EFFECTS[target.value][0]!;
            }}
          >
            {TARGETS.map((name) => (
              <option key={name} value={name}>
                {say(name)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={say("how")}>
        {(input) => (
          <select
            {...input}
            value={effect.value}
            onChange={(event) => (effect.value = event.currentTarget.value as ArmedFault["effect"])}
          >
            {effects.map((name) => (
              <option key={name} value={name}>
                {nameOf(name)}
              </option>
            ))}
          </select>
        )}
      </Field>
      {!lasts && (
        <Field label={say("when")}>
          {(input) => (
            <select
              {...input}
              value={when.value}
              onChange={(event) => (when.value = event.currentTarget.value as "always")}
            >
              {WHENS.map((name) => (
                <option key={name} value={name}>
                  {say(name, { count: name === "every" ? Math.max(2, count.value) : count.value })}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      {!lasts && when.value !== "always" && (
        <Field label="n">
          {(input) => (
            <input
              {...input}
              type="number"
              min={when.value === "every" ? 2 : 1}
              max={1_000}
              required
              value={count.value}
              onInput={(event) => (count.value = Number(event.currentTarget.value) || 1)}
            />
          )}
        </Field>
      )}
      <Button type="submit">{say("arm")}</Button>
    </form>
  );
}

function Delivering() {
  const { copies, delay_ms, shuffle } = shown.value!.delivering;
  const number = (event: Event) => Number((event.currentTarget as HTMLInputElement).value) || 0;
  return (
    <fieldset class="s-arm">
      <legend>{say("platforms")}</legend>
      <Field label={say("copies")}>
        {(input) => (
          <input
            {...input}
            type="number"
            min={1}
            max={10}
            value={copies}
            onChange={(event) => act({ do: "deliver", copies: Math.max(1, number(event)) })}
          />
        )}
      </Field>
      <Field label={say("delay")}>
        {(input) => (
          <input
            {...input}
            type="number"
            min={0}
            max={60_000}
            step={100}
            value={delay_ms}
            onChange={(event) => act({ do: "deliver", delay_ms: number(event) })}
          />
        )}
      </Field>
      <label class="s-check">
        <input
          type="checkbox"
          checked={shuffle}
          onChange={(event) => act({ do: "deliver", shuffle: event.currentTarget.checked })}
        />
        {say("shuffle")}
      </label>
    </fieldset>
  );
}

const NAMES: Partial<Record<ArmedFault["effect"], Word>> = {
  "500-after": "after500",
  silent: "silent",
  slow: "slow",
  throws: "throws",
  down: "down",
};

export function nameOf(effect: ArmedFault["effect"]): string {
  const word = NAMES[effect];
  return word ? say(word) : effect;
}

function whenOf(when: ArmedFault["when"]): string {
  if (when === "always") return say("always");
  return "next" in when ? say("next", { count: when.next }) : say("every", { count: when.every });
}
