import { isIP } from 'node:net';

/**
 * An address range as the API server takes it: no bits beyond the prefix, no zone, no IPv4 in IPv6, no leading zeros.
 *
 * @returns what it should have been where it is another, and undefined where it is none
 */
export function canonicalCidr(range: string): string | undefined {
  const [address, bits, ...rest] = range.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || rest.length > 0) return undefined;
  const length = prefixLength(bits, family === 4 ? 32 : 128);
  if (length === undefined) return undefined;
  const groups = family === 4 ? address.split('.').map(Number) : groupsOf(address);
  if (groups === undefined) return undefined;
  const each = family === 4 ? 8 : 16;
  const kept = groups.map(
    (group, at) => group - (group % 2 ** Math.min(each, Math.max(0, each * (at + 1) - length))),
  );
  // The URL parser knows how an IPv6 address is written.
  const written =
    family === 4
      ? kept.join('.')
      : new URL(`http://[${kept.map((group) => group.toString(16)).join(':')}]`).hostname.slice(1, -1);
  return `${written}/${length}`;
}

/** All of the width, where none is said. */
function prefixLength(bits: string | undefined, width: number): number | undefined {
  if (bits === undefined) return width;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= width ? Number(bits) : undefined;
}

/** Eight groups; undefined for an IPv4 address in IPv6. */
function groupsOf(address: string): number[] | undefined {
  if (address.includes('.') || /^(0*:)*:?ffff:/i.test(address)) return undefined;
  const [head, tail] = address
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16))));
  return tail === undefined
    ? head
    : [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}
