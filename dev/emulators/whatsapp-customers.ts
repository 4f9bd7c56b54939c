import type { Fields } from "./fields.ts";
import type { Keep } from "./keep.ts";
import { remember } from "./remember.ts";

/** One person on WhatsApp, known by phone, by business-scoped user id, or by both. */
export interface Customer {
  /** The emulator's own id of the person. */
  readonly id: string;
  wa_id?: string;
  user_id?: string;
  name: string;
  username?: string;
  /** When the person last wrote, in ms since 1970. The window is open for 24 h after it. */
  lastAt: number;
  /** The error with which the platform fails every message to the person after it has taken it. */
  refuses?: number | undefined;
  /** The newest message that the business sent to this person. */
  lastSent?: string;
}

export interface Customers {
  /** The customer with these fields, merged with the known one. */
  meet(fields: Fields): Customer;
  find(key: string): Customer | undefined;
  /** Stores a changed customer. */
  save(customer: Customer): void;
}

const KEPT = 200_000;

export function createCustomers(keep: Keep): Customers {
  const kept = keep.table<Customer>("customers", KEPT);
  const customers = new Map<string, Customer>();
  const save = (customer: Customer) => kept.set(customer.id, customer);
  for (const customer of kept.values()) index(customer);

  function index(customer: Customer): void {
    const { wa_id, user_id } = customer;
    if (wa_id) remember(customers, wa_id, customer, KEPT);
    if (user_id) remember(customers, user_id, customer, KEPT);
  }

  function meet({ from, user_id, name, username }: Fields): Customer {
    const phone = digits(from);
    const userId = text(user_id);
    const known = (phone && customers.get(phone)) || (userId && customers.get(userId)) || undefined;
    const customer: Customer = known ?? { id: crypto.randomUUID(), name: "Customer", lastAt: 0 };
    if (phone) customer.wa_id = phone;
    if (userId) customer.user_id = userId;
    if (name !== undefined) customer.name = String(name);
    if (username !== undefined) customer.username = String(username);
    index(customer);
    save(customer);
    return customer;
  }

  const isPhone = /^\+?[\d ()-]+$/;
  return { meet, save, find: (key) => customers.get(isPhone.test(key) ? (digits(key) ?? "") : key) };
}

/** A phone in WhatsApp's spelling: digits only. */
export function digits(value: unknown): string | undefined {
  return text(value)?.replace(/[^\d]/g, "") || undefined;
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : String(value);
}
