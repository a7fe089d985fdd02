import { jwkOf, jws, rsa, selfSignedToken } from '../../../proxy/test/support/mint.js';
import { conforms, jkt, now, ORIGIN } from '../support.js';

conforms('RFC 8725 3.8, 3.10, 3.12', ({ decision, self, fixture }) => {
  it('3.8: never tries a key of one issuer on a token of another', async () => {
    expect(
      await decision({
        accessToken: jws(
          { typ: 'at+jwt', alg: 'RS256', kid: 'my-key-1' },
          {
            iss: 'https://as.example',
            aud: `${ORIGIN}/mcp`,
            sub: 's',
            client_id: 'c',
            jti: 'j',
            iat: now(),
            exp: now() + 60,
            cnf: { jkt },
          },
          fixture().self.privateKey,
        ),
      }),
    ).toBe('token_key_unknown');
  });
  it('3.10: fetches no key that a token names', async () => {
    const evil = rsa();
    const named = { jwk: jwkOf(evil), jku: 'https://evil.example/jwks', x5u: 'https://evil.example' };
    expect(await self({}, { kid: 'evil', ...named }, evil)).toBe('token_key_unknown');
    expect(await self({}, named, evil)).toBe('token_signature_bad');
  });
  it.each([`../../../etc/passwd`, "' OR 1=1", '__proto__', 'constructor', 'a'.repeat(5000)])(
    '3.10: takes kid %s as a text to look up',
    async (kid) => expect(await self({}, { kid })).toBe('token_key_unknown'),
  );
  it('3.12: a proof is no access token, an access token no proof, a self-signed token neither', async () => {
    let proofText = '';
    expect(
      await decision({
        proof: (p) => {
          proofText = p;
          return p;
        },
      }),
    ).toBe('ok');
    expect(await decision({ accessToken: proofText })).toBe('token_type_refused');
    expect(await decision({ accessToken: selfSignedToken(fixture().self, 'POST', `${ORIGIN}/mcp`) })).toBe(
      'token_type_refused',
    );
    let token = '';
    expect(
      await decision({
        accessToken: (t) => {
          token = t;
          return t;
        },
      }),
    ).toBe('ok');
    expect(await decision({ proof: token })).toBe('dpop_type_refused');
  });
});
