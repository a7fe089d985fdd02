import { rsa } from '../../../proxy/test/support/mint.js';
import { conforms, now } from '../support.js';

conforms('The self-signed profile of the reference document', ({ self }) => {
  it('takes an RS256 token of a listed key for this method and URI', async () =>
    expect([await self(), await self({ jti: 'a'.repeat(256) })]).toEqual(['ok', 'ok']));
  it.each([
    [{ aud: 'other' }, 'token_audience_refused'],
    [{ iss: 'other' }, 'token_issuer_unknown'],
    [{ jti: undefined }, 'token_claim_missing'],
    [{ jti: 'a'.repeat(257) }, 'token_claim_missing'],
    [{ htm: undefined }, 'token_claim_missing'],
    [{ htu: undefined }, 'token_claim_missing'],
    [{ iat: undefined }, 'token_claim_missing'],
    [{ exp: undefined }, 'token_claim_missing'],
    [{ htm: 'GET' }, 'token_htm_mismatch'],
    [{ htu: 'https://gw.example/other' }, 'token_htu_mismatch'],
    [{ exp: now() - 10 }, 'token_expired'],
    [{ iat: now() + 60, exp: now() + 90 }, 'token_not_yet_valid'],
    [{ exp: now() + 400 }, 'token_too_old'],
    [{ iat: now() - 400, exp: now() + 10 }, 'token_too_old'],
  ])('refuses %j', async (claims, reason) => expect(await self(claims)).toBe(reason));
  it.each([
    [{ alg: 'PS256' }, 'token_algorithm_refused'],
    [{ kid: undefined }, 'token_key_unknown'],
    [{ typ: 'dpop+jwt' }, 'token_type_refused'],
    [{ typ: 'at+jwt' }, 'token_type_refused'],
  ])('refuses the header %j', async (header, reason) => {
    expect(await self({}, header)).toBe(reason);
  });
  it('refuses another key under a listed kid', async () =>
    expect(await self({}, {}, rsa())).toBe('token_signature_bad'));
  it('takes a token once', async () => {
    const jti = `once-${Math.random()}`;
    expect([await self({ jti }), await self({ jti })]).toEqual(['ok', 'token_replayed']);
  });
});
