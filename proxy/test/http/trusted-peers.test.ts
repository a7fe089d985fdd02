import fc from 'fast-check';
import { networkOf, plainAddress, trustedPeers } from '../../src/http/trusted-peers.js';

describe('the network of an address', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['127.0.0.1', '127.0.0.1'],
    ['::', '0:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:0000:0000:0000:0001', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::A', '2001:db8:1:2::/64'],
    ['2001:db8::2:0:0:0:1', '2001:db8:0:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['fe80::%1', 'fe80:0:0:0::/64'],
    ['64:ff9b::203.0.113.9', '64:ff9b:0:0::/64'],
  ])('of %s is %s', (address, network) => expect(networkOf(address)).toBe(network));

  const group = fc.integer({ min: 0, max: 0xffff });
  const address = fc.tuple(group, group, group, group, group, group, group, group);
  /** One of the ways in which an address can be written. */
  const spelling = fc.record({ padded: fc.boolean(), upper: fc.boolean(), compressed: fc.boolean() });
  type Spelling = typeof spelling extends fc.Arbitrary<infer T> ? T : never;
  const spell = (groups: readonly number[], { padded, upper, compressed }: Spelling, dotted: boolean) => {
    const hex = groups
      .map((g) => g.toString(16).padStart(padded ? 4 : 1, '0'))
      .map((g) => (upper ? g.toUpperCase() : g));
    const [high, low] = [groups[6]!, groups[7]!];
    const parts = dotted
      ? [...hex.slice(0, 6), [high, low].flatMap((g) => [Math.floor(g / 256), g % 256]).join('.')]
      : hex;
    const from = compressed ? groups.slice(0, 6).indexOf(0) : -1; // one zero, or more, may be left out once
    if (from === -1) return parts.join(':');
    let to = from;
    while (to < 6 && groups[to] === 0) to += 1;
    return `${parts.slice(0, from).join(':')}::${parts.slice(to).join(':')}`;
  };
  it.each([
    ['all in hex', false],
    ['with the end as IPv4 (RFC 4291 2.2, form 3)', true],
  ])('is the same for every spelling of an address, and for every address of the /64: %s', (_, dotted) => {
    fc.assert(
      fc.property(address, address, spelling, (groups, others, how) => {
        // Zeros where they are left out, not only at random.
        const zeroed = groups.map((g, i) => (others[i]! % 2 === 1 ? 0 : g));
        const neighbour = [...zeroed.slice(0, 4), ...others.slice(4)];
        const want = `${zeroed
          .slice(0, 4)
          .map((g) => g.toString(16))
          .join(':')}::/64`;
        expect(networkOf(spell(zeroed, how, dotted))).toBe(want);
        expect(networkOf(spell(neighbour, how, dotted))).toBe(want);
      }),
      { numRuns: 500 },
    );
  });
  it('of an IPv4 address that came in over IPv6 is that address', () => {
    expect(networkOf(plainAddress('::ffff:203.0.113.9'))).toBe('203.0.113.9');
    expect(trustedPeers(['203.0.113.0/24']).has('::ffff:203.0.113.9')).toBe(true);
    expect(trustedPeers(['2001:db8::/32']).has('203.0.113.9')).toBe(false);
  });
});
