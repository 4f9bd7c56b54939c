import { randomInt } from "node:crypto";
import type { Person } from "./model.ts";
import { Refused } from "./refused.ts";

/** The people whom the simulator plays. */
export interface People {
  add(name?: string): Person;
  /** Throws `Refused` for an unknown id. */
  find(id: string): Person;
  list(): Iterable<Person>;
}

export function createPeople(): People {
  const people = new Map<string, Person>();
  return {
    add(name = "Ana") {
      const digits = `55119${randomInt(50_000_000, 99_999_999)}`;
      const id = crypto.randomUUID();
      const person: Person = {
        id,
        name,
        customer_id: `sim-${id.slice(0, 8)}`,
        phone: `+${digits}`,
        whatsapp: digits,
        telegram: randomInt(100_000_000, 999_999_999),
      };
      people.set(id, person);
      return person;
    },
    find(id) {
      const person = people.get(id);
      if (!person)
        throw new Refused("this person is not known any more; begin with a new one", "unknownPerson");
      return person;
    },
    list: () => people.values(),
  };
}
