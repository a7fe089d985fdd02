/** Who the client is by the word of a front, and what a client writes into the same field to be somebody else. */
import { readForwarded } from '../../src/http/forwarded.js';
import { headerFields } from '../../src/http/header-fields.js';
import { trustedPeers } from '../../src/http/trusted-peers.js';

const FRONTS = trustedPeers(['10.0.0.0/8', 'fd00::/8']);
const read = (field: 'forwarded' | 'x-forwarded', ...lines: string[]) => {
  const name = field === 'forwarded' ? 'Forwarded' : 'X-Forwarded-For';
  return readForwarded(headerFields(lines.flatMap((line) => [name, line])), FRONTS, field);
};
const HIDDEN = { client: undefined };

describe('X-Forwarded-For', () => {
  it.each([
    ['an address', '203.0.113.9', '203.0.113.9'],
    ['one with a port (Azure)', '203.0.113.9:51234', '203.0.113.9'],
    ['IPv6', '2001:db8::9', '2001:db8::9'],
    ['IPv6 in brackets', '[2001:db8::9]', '2001:db8::9'],
    ['IPv6 in brackets with a port', '[2001:db8::9]:51234', '2001:db8::9'],
    ['IPv4 that came over IPv6', '[::ffff:203.0.113.9]:1', '203.0.113.9'],
    ['what the client made up before it', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['garbage of the client before it', '<script>, "a, 203.0.113.9', '203.0.113.9'],
    ['fronts behind it', '203.0.113.9:1, 10.0.0.1:2, [fd00::1]:3', '203.0.113.9'],
    ['empty members', ', 203.0.113.9, ,', '203.0.113.9'],
  ])('names the client: %s', (_, line, client) => {
    expect(read('x-forwarded', line)?.client).toBe(client);
  });
  it('goes on in a second line', () => {
    expect(read('x-forwarded', '203.0.113.9', '10.0.0.1')?.client).toBe('203.0.113.9');
    expect(read('x-forwarded', '198.51.100.1', '203.0.113.9, 10.0.0.1')?.client).toBe('203.0.113.9');
  });
  it.each([
    'unknown',
    '_hidden',
    'Unknown:80',
    '_a.b:_c',
    '203.0.113.9, unknown',
    '203.0.113.9, _x, 10.0.0.1',
  ])('that hides who asked gives nobody else: %s', (line) =>
    expect(read('x-forwarded', line)).toMatchObject(HIDDEN),
  );
  it('of fronts alone says nothing, nor does one that is not there', () => {
    expect(read('x-forwarded', '10.0.0.1, 10.0.0.2')).toBeUndefined();
    expect(read('x-forwarded', '')).toBeUndefined();
    expect(read('x-forwarded')).toBeUndefined();
  });
  it.each([
    '203.0.113.9:99999',
    '203.0.113.9:',
    '203.0.113.9:1:2',
    '203.0.113.9 203.0.113.10',
    '[203.0.113.9]',
    '[2001:db8::9',
    '2001:db8::9]:1',
    '[2001:db8::9]x',
    'fe80::1%eth0',
    '[fe80::1%25eth0]:1',
    '0x7f.1',
    '010.0.0.1',
    '203.0.113.256',
    'client.example',
    '"203.0.113.9"',
    '203.0.113.9;proto=https',
    'for=203.0.113.9',
  ])('that nobody can read is refused: %s', (node) => {
    expect(read('x-forwarded', `198.51.100.1, ${node}`)?.problem).toContain('is no address');
    expect(read('x-forwarded', `${node}, 10.0.0.1`)?.problem).toContain('is no address');
  });
  it('is not read where the front says Forwarded, nor the other way round', () => {
    const both = headerFields(['X-Forwarded-For', '198.51.100.1', 'Forwarded', 'for=203.0.113.9']);
    expect(readForwarded(both, FRONTS, 'forwarded')?.client).toBe('203.0.113.9');
    expect(readForwarded(both, FRONTS, 'x-forwarded')?.client).toBe('198.51.100.1');
    expect(readForwarded(headerFields(['Forwarded', 'for="']), FRONTS, 'x-forwarded')).toBeUndefined();
  });
});

describe('Forwarded', () => {
  it.each([
    ['a token', 'for=203.0.113.9', '203.0.113.9'],
    ['in any case', 'FOR=203.0.113.9;Proto=https', '203.0.113.9'],
    ['quoted', 'for="203.0.113.9:4711"', '203.0.113.9'],
    ['IPv6', 'For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['IPv6 that its front did not quote', 'for=[2001:db8::9]:80', '2001:db8::9'],
    ['with escapes', 'for="203.0.113.\\9"', '203.0.113.9'],
    [
      'the last that no front has',
      'for=198.51.100.1, for=203.0.113.9;by=10.0.0.1, for=10.0.0.1',
      '203.0.113.9',
    ],
    ['an obfuscated port', 'for="203.0.113.9:_p"', '203.0.113.9'],
    ['empty elements', ', for=203.0.113.9,', '203.0.113.9'],
    ['a delimiter at its end', 'for=203.0.113.9;', '203.0.113.9'],
    ['quoted commas and semicolons elsewhere', 'for=203.0.113.9;by="a,for=198.51.100.1;b"', '203.0.113.9'],
  ])('names the client: %s', (_, line, client) => {
    expect(read('forwarded', line)?.client).toBe(client);
  });
  it.each([
    'for=unknown',
    'for=_hidden',
    'for="_x:80"',
    'proto=https',
    'for=203.0.113.9, for=unknown, for=10.0.0.1',
  ])('that hides who asked gives nobody else: %s', (line) =>
    expect(read('forwarded', line)).toMatchObject(HIDDEN),
  );
  it('says where the client thought to be: what the same hop says, not one behind it', () => {
    expect(
      read(
        'forwarded',
        'for=198.51.100.1;host=evil.example, for=203.0.113.9;host="gw.example:443";proto=https, ' +
          'for=10.0.0.1;host=inner;proto=http',
      ),
    ).toEqual({ client: '203.0.113.9', host: 'gw.example:443', proto: 'https' });
  });
  it.each([
    [
      'a quote that a client opened, and that takes in what the front appended',
      'for="198.51.100.1, for=203.0.113.9',
    ],
    ['a quote that ends in an escape', 'for="198.51.100.1\\", for=203.0.113.9'],
    ['two clients in one element', 'for=198.51.100.1;for=203.0.113.9'],
    ['two hosts in one element', 'for=203.0.113.9;host=a;host=b'],
    ['no value', 'for=, for=203.0.113.9'],
    ['no name', '=203.0.113.9'],
    ['something behind a quote', 'for="203.0.113.9"x'],
    ['a bare address', '203.0.113.9'],
    ['a port out of range', 'for="203.0.113.9:70000"'],
    ['a zone', 'for="[fe80::1%eth0]"'],
    ['an empty address', 'for=""'],
  ])('that two could read differently is refused: %s', (_, line) => {
    expect(read('forwarded', line)?.problem).toBeDefined();
  });
  it('of which one line opens a quote and the next one ends it is refused', () => {
    expect(read('forwarded', 'for="198.51.100.1', 'for=203.0.113.9"')?.problem).toBeDefined();
  });
  it('is read in time that grows with its length alone', () => {
    const began = performance.now();
    for (const line of [
      'for="'.repeat(3_000),
      `for="${'\\'.repeat(16_000)}`,
      ' '.repeat(16_000),
      ','.repeat(16_000),
    ])
      read('forwarded', line);
    expect(performance.now() - began).toBeLessThan(500);
  });
});
