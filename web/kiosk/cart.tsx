import { money } from "../kit/content/message-content.tsx";
import { texts } from "./texts/index.ts";

interface Item {
  readonly name: string;
  readonly quantity?: number;
  readonly price?: number;
  readonly currency?: string;
}

/** The customer's cart, from `data.cart`: texts, or objects with a name (`name`, `title`, `sku` or `id`), `qty` and `price`. */
export function Cart({ cart }: { readonly cart: unknown }) {
  const items = itemsIn(cart);
  return (
    <section class="cart" aria-label={texts.say("cart")}>
      <h2>{texts.say("cart")}</h2>
      {items.length === 0 ? (
        <p>{texts.say("cart_empty")}</p>
      ) : (
        <ul>
          {items.map(({ name, quantity, price, currency }) => (
            <li key={name}>
              <bdi>{quantity !== undefined && quantity !== 1 ? `${quantity} × ${name}` : name}</bdi>
              {price !== undefined && <span>{money(price * (quantity ?? 1), currency)}</span>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Reads what frontends have put there. What is no item is left out. */
function itemsIn(cart: unknown): readonly Item[] {
  if (!Array.isArray(cart)) return [];
  return cart.flatMap((one: unknown): Item[] => {
    if (typeof one === "string") return [{ name: one }];
    if (typeof one !== "object" || one === null) return [];
    const fields = one as Record<string, unknown>;
    const name = fields.name ?? fields.title ?? fields.sku ?? fields.id;
    const quantity = fields.quantity ?? fields.qty;
    if (typeof name !== "string" && typeof name !== "number") return [];
    return [
      {
        name: String(name),
        ...(typeof quantity === "number" && { quantity }),
        ...(typeof fields.price === "number" && { price: fields.price }),
        ...(typeof fields.currency === "string" &&
          /^[A-Z]{3}$/.test(fields.currency) && { currency: fields.currency }),
      },
    ];
  });
}
