import { BlockList, isIP } from 'node:net';

export interface TrustedPeers {
  has(address: string): boolean;
}

/** Address ranges in CIDR notation; an IPv4 address that came in over IPv6 (`::ffff:10.0.0.1`) counts as IPv4. */
export function trustedPeers(ranges: readonly string[]): TrustedPeers {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits = ''] = range.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return {
    has(address) {
      if (ranges.length === 0) return false;
      const plain = plainAddress(address);
      const version = isIP(plain);
      return version !== 0 && list.check(plain, version === 6 ? 'ipv6' : 'ipv4');
    },
  };
}

/** The address, or the /64 of an IPv6 address. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  // The end may be written as IPv4 (RFC 4291 2.2): two groups, of which no /64 has any.
  const groups = (text: string | undefined) =>
    text === undefined || text === ''
      ? []
      : text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
  const [before, after] = [groups(head), groups(tail)];
  const all =
    tail === undefined
      ? before
      : [...before, ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0'), ...after];
  return `${all
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

export const plainAddress = (address: string): string =>
  address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
