import { createHmac } from 'node:crypto';
import { ec, ed25519, rsa, thumbprint, type Pair } from '../../../proxy/test/support/mint.js';
import { client, conforms, part, publicJwk } from '../support.js';

conforms('RFC 9449 4.3 item 5', ({ decision }) => {
  const pairs: [string, Pair][] = [
    ['ES256', ec()],
    ['ES384', ec('P-384')],
    ['PS256', rsa()],
    ['RS256', rsa()],
    ['EdDSA', ed25519()],
    ['Ed25519', ed25519()],
  ];
  it.each(pairs)('takes %s', async (alg, pair) =>
    expect(await decision({ pair, header: { alg }, token: { cnf: { jkt: thumbprint(pair) } } })).toBe('ok'),
  );
  it.each([undefined, 'none', 'None', 'HS256', 'ES256K', 'RS512', 'es256', '', 7, null, ['ES256']])(
    'refuses %j',
    async (alg) => {
      expect(await decision({ header: { alg } })).toBe('dpop_algorithm_refused');
    },
  );
  it('refuses an HMAC made with the public key', async () => {
    const forged = (sound: string) => {
      const header = { typ: 'dpop+jwt', alg: 'HS256', jwk: publicJwk(client) };
      const input = `${part(JSON.stringify(header))}.${sound.split('.')[1]!}`;
      return `${input}.${createHmac('sha256', client.publicKey.export({ type: 'spki', format: 'pem' }))
        .update(input)
        .digest('base64url')}`;
    };
    expect(await decision({ proof: forged })).toBe('dpop_algorithm_refused');
  });
});
conforms(
  'RFC 9449 4.3 item 5, per route',
  ({ decision }) => {
    it('refuses what this route does not list, though another does', async () =>
      expect(await decision()).toBe('dpop_algorithm_refused'));
  },
  (config) => {
    Object.assign(config.routes[0]!.auth, { proofAlgorithms: ['EdDSA'] });
  },
);
