import { conforms, now } from '../support.js';

conforms('RFC 9449 4.3 item 11', ({ decision }) => {
  it('takes what is inside the window', async () => {
    expect([
      await decision({ claims: { iat: now() + 55 } }),
      await decision({ claims: { iat: now() } }),
    ]).toEqual(['ok', 'ok']);
  });
  it.each([
    [-305, 'dpop_expired'],
    [-86_400, 'dpop_expired'],
    [65, 'dpop_not_yet_valid'],
    [86_400, 'dpop_not_yet_valid'],
  ])('refuses iat %i seconds from now', async (off, reason) => {
    expect(await decision({ claims: { iat: now() + off } })).toBe(reason);
  });
  it('honours exp and nbf where they are (RFC 7519 4.1.4, 4.1.5)', async () => {
    expect(await decision({ claims: { exp: now() + 10, nbf: now() - 10 } })).toBe('ok');
    expect(await decision({ claims: { exp: now() - 61 } })).toBe('dpop_expired');
    expect(await decision({ claims: { nbf: now() + 120 } })).toBe('dpop_not_yet_valid');
    expect(await decision({ claims: { exp: 'soon' } })).toBe('dpop_claim_missing');
  });
  it('ignores claims and header members that it does not know (RFC 7519 4)', async () =>
    expect(await decision({ claims: { extra: { a: 1 } }, header: { extra: 1 } })).toBe('ok'));
});
