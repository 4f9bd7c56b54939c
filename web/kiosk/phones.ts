import { signal } from "@preact/signals";

type Phones = typeof import("./phone.ts");

/** The rules of all countries' numbers. They weigh more than the rest of the page, which is drawn before they come. */
export const phones = signal<Phones | undefined>(undefined);

/** Loads the rules. Rejects without a network, if the service worker does not have them either. */
export async function loadPhones(): Promise<Phones> {
  phones.value ??= await import("./phone.ts");
  return phones.value;
}
