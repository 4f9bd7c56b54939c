/** The statuses of an order. It begins as `pending` or `paid`; `cancelled` is final. */
export const ORDER_STATUSES = ["pending", "paid", "cancelled"] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

export interface OrderItem {
  /** The shop's id of the product. */
  readonly sku?: string;
  readonly name?: string;
  readonly quantity: number;
  /** The price of one, in the order's currency, as the order's `amount`. */
  readonly unit_amount?: string;
}

/** An order as the hub records it. The hub moves no money. */
export interface Order {
  /** The shop's or the bot's own id. */
  readonly order_id: string;
  /** Absent for an order of nobody. */
  readonly customer_key?: string;
  readonly customer_id?: string;
  /** The session it came from, or the one into which that was merged. */
  readonly session_id?: string;
  /** The payment provider's id of the payment. */
  readonly payment_intent_id?: string;
  /** Exact, with all decimals of the currency: `12.50`. */
  readonly amount: string;
  /** ISO 4217. */
  readonly currency: string;
  readonly status: OrderStatus;
  readonly items: readonly OrderItem[];
  /** Rises with each change. Compared with `If-Match`. */
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** What a caller or a bot writes. */
export interface OrderFields {
  /** Absent: the hub makes one. */
  readonly order_id?: string;
  readonly payment_intent_id?: string | null;
  readonly amount: string;
  readonly currency: string;
  readonly status?: "pending" | "paid";
  readonly items?: readonly OrderItem[];
}

/** Absent fields are unchanged. `currency` is the order's own, with `amount` and with items that have a price. */
export interface OrderChanges {
  readonly payment_intent_id?: string | null;
  readonly amount?: string;
  readonly currency?: string;
  readonly status?: OrderStatus;
  readonly items?: readonly OrderItem[];
}
