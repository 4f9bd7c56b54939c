import { z } from "@hono/zod-openapi";
import { amountIn, CURRENCIES, decimalsOf } from "./currency.ts";
import { ORDER_STATUSES, type OrderItem } from "./order.ts";

const MOST_ITEMS = 200;

const amount = z.union([z.string().max(24), z.number()], "must be an amount such as 12.50").openapi({
  type: "string",
  description:
    "Exact, with at most as many decimals as the currency has: none for JPY, three for KWD. A number counts as the decimal that " +
    "is written. Answers have text.",
  example: "49.90",
});

const item = z
  .strictObject({
    sku: z.string().min(1).max(128).optional(),
    name: z.string().trim().min(1).max(256).optional(),
    quantity: z.int().min(1).max(1_000_000),
    unit_amount: amount.optional(),
  })
  .refine(({ sku, name }) => sku !== undefined || name !== undefined, "needs a sku or a name");

/** An order's id: visible ASCII. */
export const orderId = z
  .string()
  .regex(/^[!-~]{1,128}$/, "must be 1 to 128 visible ASCII characters")
  .openapi({ description: "The shop's or the bot's own id of the order.", example: "A-1001" });

const paymentId = z.string().min(1).max(255).nullish().openapi({ example: "pi_3QXExample" });
const currency = z
  .string()
  .regex(/^[A-Z]{3}$/, "must be a currency of ISO 4217")
  .refine((code) => CURRENCIES.has(code), "must be a currency of ISO 4217")
  .openapi({ description: "ISO 4217", example: "EUR" });
const items = z
  .array(item)
  .max(MOST_ITEMS)
  .optional()
  .openapi({ example: [{ sku: "tea-103", name: "Green tea", quantity: 2, unit_amount: "24.95" }] });

/** The fields of an order that routes and bots write. */
export const orderFields = {
  order_id: orderId.optional(),
  payment_intent_id: paymentId,
  amount,
  currency,
  status: z.enum(["pending", "paid"]).optional().openapi({ description: "`pending` by default." }),
  items,
};

/** The fields of a change. */
export const orderChanges = {
  payment_intent_id: paymentId,
  amount: amount.optional(),
  currency: currency.optional().openapi({
    description:
      "The order's own currency, which never changes: needed with `amount` and with items that have a price.",
  }),
  items,
  status: z.enum(ORDER_STATUSES).optional().openapi({
    description: "`pending` may become `paid` or `cancelled`, `paid` may become `cancelled`, which is final.",
  }),
};

type Priced = { readonly unit_amount?: string | number | undefined };

interface Given {
  readonly amount?: string | number | undefined;
  readonly currency?: string | undefined;
  readonly items?: readonly Priced[] | undefined;
}

/** The check of an order's fields that stand together: amounts with their currency. */
export function checkAmounts({ amount, currency, items = [] }: Given, context: z.core.$RefinementCtx): void {
  const amounts: [(string | number)[], string | number | undefined][] = [
    [["amount"], amount],
    ...items.map(({ unit_amount }, i): [(string | number)[], typeof unit_amount] => [
      ["items", i, "unit_amount"],
      unit_amount,
    ]),
  ];
  for (const [path, value] of amounts) {
    if (value === undefined) continue;
    if (currency === undefined)
      return void context.addIssue({
        code: "custom",
        path: ["currency"],
        message: "is needed with an amount",
      });
    if (amountIn(value, currency) === undefined) {
      const message = `must be an exact amount with at most ${decimalsOf(currency)} decimals`;
      return void context.addIssue({ code: "custom", path, message });
    }
  }
}

/** Checked fields for the store: exact amounts as text, and no undefined fields. */
export function orderOf<T extends Given>(given: T): Exact<T> {
  const { amount, currency, items } = given;
  const exact = (value: string | number | undefined) =>
    value === undefined ? undefined : amountIn(value, currency!);
  return defined({
    ...given,
    amount: exact(amount),
    items: items?.map((one) => defined({ ...one, unit_amount: exact(one.unit_amount) })),
  }) as unknown as Exact<T>;
}

type Exact<T> = Omit<T, "amount" | "items"> & { amount: string; items?: readonly OrderItem[] };

function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
