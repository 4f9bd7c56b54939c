import type { Fields } from "./fields.ts";
import { remember } from "./remember.ts";

/** One person on WhatsApp, by phone, by business-scoped user id, or both. */
export interface Customer {
  wa_id?: string;
  user_id?: string;
  name: string;
  username?: string;
  /** Epoch milliseconds of the last message; the window is open for 24 h after. */
  lastAt: number;
  /** The newest message the business sent here. */
  lastSent?: string;
}

export interface Customers {
  /** The customer as these fields name them, merged with what was known. */
  meet(fields: Fields): Customer;
  find(key: string): Customer | undefined;
}

const KEPT = 200_000;

export function createCustomers(): Customers {
  const customers = new Map<string, Customer>();

  function meet({ from, user_id, name, username }: Fields): Customer {
    const phone = digits(from);
    const userId = text(user_id);
    const known = (phone && customers.get(phone)) || (userId && customers.get(userId)) || undefined;
    const customer: Customer = known ?? { name: "Customer", lastAt: 0 };
    if (phone) customer.wa_id = phone;
    if (userId) customer.user_id = userId;
    if (name !== undefined) customer.name = String(name);
    if (username !== undefined) customer.username = String(username);
    if (phone) remember(customers, phone, customer, KEPT);
    if (userId) remember(customers, userId, customer, KEPT);
    return customer;
  }

  const isPhone = /^\+?[\d ()-]+$/;
  return { meet, find: (key) => customers.get(isPhone.test(key) ? (digits(key) ?? "") : key) };
}

/** A phone as WhatsApp writes it: digits alone. */
export function digits(value: unknown): string | undefined {
  return text(value)?.replace(/[^\d]/g, "") || undefined;
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : String(value);
}
