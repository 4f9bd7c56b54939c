import { z } from "zod";
import { type Tool, toolOf } from "./tool.ts";

export const getCustomer: Tool = toolOf(
  "get_customer",
  "What the shop knows of this customer: name, language, plan, verified contacts, attributes.",
  z.strictObject({}),
  async (_args, { turn: { customer, session } }) => {
    const { name, preferred_language, plan, attributes = {} } = customer ?? {};
    // What another customer's row said before the two became one is for the back office.
    const { merge_conflicts: _, ...own } = attributes;
    return {
      name,
      preferred_language,
      plan,
      // A claimed phone proves nothing, and may be somebody else's.
      ...(session.phone_verified !== false && { phone: session.phone }),
      email: session.email,
      attributes: own,
    };
  },
);
