/** The decimals of currencies whose number is not two: ISO 4217 in force since 2026. CLDR's numbers, which `Intl` gives, differ. */
const DECIMALS: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(" ").map((code) => [code, 0]),
  ),
  ...Object.fromEntries("BHD IQD JOD KWD LYD OMR TND".split(" ").map((code) => [code, 3])),
};

/** The codes of ISO 4217 that money is paid in: no funds, metals and test codes. */
export const CURRENCIES: ReadonlySet<string> = new Set(
  (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC " +
    "CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR " +
    "ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK " +
    "MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE " +
    "SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF " +
    "XPF YER ZAR ZMW ZWG"
  ).split(" "),
);

/** How many decimals a currency's amounts have. */
export function decimalsOf(currency: string): number {
  return DECIMALS[currency] ?? 2;
}

/**
 * An amount as exact text with all decimals of its currency, such as `12.50`. Undefined if it has more decimals than the
 * currency, or more than 15 digits before the point. A number counts as the decimal that JSON shows; with more than 15
 * digits it may be another one than was written, and is refused.
 */
export function amountIn(given: string | number, currency: string): string | undefined {
  const text = String(given);
  const [, whole, part = ""] = /^(0|[1-9]\d{0,14})(?:\.(\d{1,3}))?$/.exec(text) ?? [];
  const decimals = decimalsOf(currency);
  if (whole === undefined || part.length > decimals) return undefined;
  if (typeof given === "number" && whole.length + part.length > 15) return undefined;
  return decimals === 0 ? whole : `${whole}.${part.padEnd(decimals, "0")}`;
}
