import { ec, signature } from '../../../proxy/test/support/mint.js';
import { client, conforms, part } from '../support.js';

const again = (i: number, change: (json: string) => string) => (p: string) => {
  const parts = p.split('.');
  parts[i] = part(change(Buffer.from(parts[i]!, 'base64url').toString()));
  const input = `${parts[0]!}.${parts[1]!}`;
  return `${input}.${signature('ES256', client.privateKey, input)}`;
};
conforms('RFC 7515 4', ({ decision }) => {
  it.each<[string, number, (json: string) => string]>([
    ['header', 0, (j) => j.replace('{', '{"alg":"none",')],
    ['header, spelled with an escape', 0, (j) => j.replace('{', '{"\\u0061lg":"none",')],
    ['jwk', 0, (j) => j.replace('"kty"', '"kty":"RSA","kty"')],
    ['claims', 1, (j) => j.replace('{', '{"htm":"GET",')],
  ])('refuses a member that stands twice in the %s', async (_, i, change) =>
    expect(await decision({ proof: again(i, change) })).toBe('dpop_malformed'),
  );
  it.each(['[]', 'null', '"x"', '7', '{', '', '{}x', '\u0000', `{"a":${'['.repeat(20)}${']'.repeat(20)}}`])(
    'refuses claims that are %j',
    async (json) => {
      expect(await decision({ proof: again(1, () => json) })).toBe('dpop_malformed');
    },
  );
  it('refuses bytes that are not UTF-8', async () => {
    const text = (p: string) => {
      const [header] = p.split('.');
      const input = `${header!}.${Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')}`;
      return `${input}.${signature('ES256', client.privateKey, input)}`;
    };
    expect(await decision({ proof: text })).toBe('dpop_malformed');
  });
  it('counts none of it as a fault of ours: another key, same refusals', async () =>
    expect(await decision({ pair: ec(), proof: again(1, () => '{') })).toBe('dpop_malformed'));
});
