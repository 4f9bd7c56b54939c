/** Names that lead into a private network, or nowhere. */
const PRIVATE_NAME =
  /(^|\.)(localhost|local|localdomain|internal|intranet|private|corp|home|lan|onion|invalid|home\.arpa|in-addr\.arpa|ip6\.arpa)$/;
/** Ranges of IPv4 that are nobody's on the public Internet (RFC 6890 and its successors), as address and length. */
const PRIVATE_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
].map((range) => {
  const [address = "", length] = range.split("/");
  return { bits: bitsOfV4(address), length: Number(length) };
});
const LONGEST_URL = 2_048;

/**
 * What is wrong with the URL of an endpoint; undefined for a good one: https, on the public Internet as far as its spelling shows,
 * without credentials. `open` allows http and every address, for a developer's machine. A name that leads to a private address can
 * only be seen by who resolves it.
 */
export function wrongWithTarget(text: string, open: boolean): string | undefined {
  const url = text.length <= LONGEST_URL ? URL.parse(text) : null;
  if (!url) return "must be a URL";
  if (url.username || url.password) return "must be without credentials";
  if (text.includes("#")) return "must be without a fragment";
  if (open && (url.protocol === "http:" || url.protocol === "https:")) return undefined;
  if (url.protocol !== "https:") return "must be https";
  return isPublicHost(url.hostname) ? undefined : "must be a public address";
}

/** Whether a host is public. The parser of URLs has already written each spelling of an IP address in one way. */
function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith("[")) return isPublicV6(hostname.slice(1, -1));
  const name = hostname.replace(/\.$/, "");
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return isPublicV4(bitsOfV4(name));
  return name.includes(".") && !name.endsWith(".") && !PRIVATE_NAME.test(name);
}

function isPublicV4(bits: number): boolean {
  return !PRIVATE_V4.some((range) => (bits ^ range.bits) >>> (32 - range.length) === 0);
}

function bitsOfV4(address: string): number {
  return address.split(".").reduce((bits, part) => ((bits << 8) | Number(part)) >>> 0, 0);
}

/**
 * Global unicast only (2000::/3): the rest holds loopback, link-local and unique local addresses, and IPv4 in other spellings. In
 * it 2001::/23 (protocols, Teredo), 2001:db8::/32 and 3fff::/20 (documentation) and 2002::/16 (6to4, which holds an IPv4) are not.
 */
function isPublicV6(address: string): boolean {
  const [first = 0, second = 0] = groupsOf(address);
  if (first >>> 13 !== 1) return false;
  if (first === 0x2001) return second >= 0x0200 && second !== 0x0db8;
  return first !== 0x2002 && !(first === 0x3fff && second < 0x1000);
}

/** The first groups of an IPv6 address; those that `::` stands for are zeros. */
function groupsOf(address: string): number[] {
  const [head = ""] = address.split("::");
  return head.split(":").map((group) => Number.parseInt(group || "0", 16));
}
