import { createHmac } from 'node:crypto';
import { accessToken, rsa } from '../../../proxy/test/support/mint.js';
import { conforms, HTU, jkt, now, part } from '../support.js';

conforms('RFC 9068 4', ({ decision, fixture }) => {
  it.each(['at+jwt', 'application/at+jwt', 'AT+JWT'])('takes typ %s', async (typ) =>
    expect(await decision({ tokenHeader: { typ } })).toBe('ok'),
  );
  it.each([undefined, 'JWT', 'dpop+jwt', 'id+jwt', '', 7])('refuses typ %j', async (typ) =>
    expect(await decision({ tokenHeader: { typ } })).toBe('token_type_refused'),
  );
  it.each([
    [{ iss: undefined }, 'token_issuer_unknown'],
    [{ iss: 'https://as.example/' }, 'token_issuer_unknown'],
    [{ iss: 'HTTPS://as.example' }, 'token_issuer_unknown'],
    [{ iss: 7 }, 'token_issuer_unknown'],
  ])('refuses %j: iss is an exact string', async (token, reason) => {
    expect(await decision({ token })).toBe(reason);
  });
  it.each([HTU, ['https://other.example', HTU]])('takes aud %j', async (aud) =>
    expect(await decision({ token: { aud } })).toBe('ok'),
  );
  it.each([undefined, '', 'https://gw.example', `${HTU}/`, ['x'], [], [HTU, 7], { 0: HTU }])(
    'refuses aud %j',
    async (aud) => expect(await decision({ token: { aud } })).toBe('token_audience_refused'),
  );
  it.each(['exp', 'iat', 'sub', 'client_id', 'jti'])('2.2: requires %s', async (name) => {
    for (const value of [undefined, '', null, []])
      expect(await decision({ token: { [name]: value } })).toBe('token_claim_missing');
  });
  it('takes exp and nbf with at most 60 seconds of leeway', async () => {
    expect([
      await decision({ token: { iat: now() - 200, exp: now() - 50 } }),
      await decision({ token: { nbf: now() + 50 } }),
    ]).toEqual(['ok', 'ok']);
    expect([
      await decision({ token: { exp: now() - 62 } }),
      await decision({ token: { nbf: now() + 65 } }),
      await decision({ token: { iat: now() + 65 } }),
    ]).toEqual(['token_expired', 'token_not_yet_valid', 'token_not_yet_valid']);
  });
  it('bounds its jti: 256 characters', async () => {
    expect(await decision({ token: { jti: 'a'.repeat(256) } })).toBe('ok');
    expect(await decision({ token: { jti: 'a'.repeat(257) } })).toBe('token_claim_missing');
  });
  it('verifies under the keys of the issuer, by kid', async () => {
    expect(await decision({ tokenHeader: { kid: 'other' } })).toBe('token_key_unknown');
    expect(await decision({ tokenHeader: { kid: undefined } })).toBe('ok');
    expect(await decision({ accessToken: accessToken(rsa(), { cnf: { jkt } }) })).toBe('token_signature_bad');
  });
  it('refuses none and HMAC', async () => {
    const unsigned = (t: string) => `${part('{"typ":"at+jwt","alg":"none"}')}.${t.split('.')[1]!}.AA`;
    const hmac = (t: string) => {
      const input = `${part('{"typ":"at+jwt","alg":"HS256","kid":"as-1"}')}.${t.split('.')[1]!}`;
      return `${input}.${createHmac('sha256', fixture().as.publicKey.export({ type: 'spki', format: 'pem' }))
        .update(input)
        .digest('base64url')}`;
    };
    expect([await decision({ accessToken: unsigned }), await decision({ accessToken: hmac })]).toEqual([
      'token_algorithm_refused',
      'token_algorithm_refused',
    ]);
  });
});
