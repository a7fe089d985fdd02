/** What a set of address ranges admits as a whole: several that look narrow can together be everybody. */

interface Span {
  readonly first: bigint;
  /** Included. */
  readonly last: bigint;
}

/**
 * IPv4 without what no stranger can have (RFC 6890): "this network", private, shared, loopback, link-local,
 * multicast and reserved.
 */
const NO_STRANGERS = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '224.0.0.0/3',
];
/**
 * IPv6 addresses that are handed out (RFC 4291 2.4), and IPv4 as a whole inside IPv6 (RFC 6052 2.1, RFC 4291
 * 2.5.5.2).
 */
const STRANGERS = ['2000::/3', '64:ff9b::/96', '::ffff:0:0/96'];

/** Whether some of these ranges, valid CIDR of either family, together hold the whole internet. */
export function holdsEverybody(ranges: readonly string[]): boolean {
  const [v4, v6] = [false, true].map((six) => ranges.filter((range) => range.includes(':') === six));
  return (
    (v4!.length > 0 && covers([...v4!, ...NO_STRANGERS].map(span), span('0.0.0.0/0'))) ||
    STRANGERS.some((range) => covers(v6!.map(span), span(range)))
  );
}

function covers(spans: readonly Span[], whole: Span): boolean {
  let next = whole.first; // the lowest address that nothing has covered so far
  for (const { first, last } of [...spans].sort((a, b) => (a.first < b.first ? -1 : 1))) {
    if (first > next) return false;
    if (last >= next) next = last + 1n;
    if (next > whole.last) return true;
  }
  return false;
}

function span(range: string): Span {
  const [address = '', bits] = range.split('/');
  const [value, width] = address.includes(':') ? [ipv6(address), 128] : [ipv4(address), 32];
  const hosts = BigInt(width - Number(bits));
  const first = (value >> hosts) << hosts;
  return { first, last: first + (1n << hosts) - 1n };
}

const join = (parts: readonly (string | number)[], bits: bigint): bigint =>
  parts.reduce((sum: bigint, part) => (sum << bits) + BigInt(part), 0n);

const ipv4 = (address: string): bigint => join(address.split('.').map(Number), 8n);

/** The URL parser writes every form of an IPv6 address in groups, an IPv4 end too. */
function ipv6(address: string): bigint {
  const written = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = [], tail = []] = written.split('::').map((part) => (part === '' ? [] : part.split(':')));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return join(
    groups.map((group) => `0x${group}`),
    16n,
  );
}
