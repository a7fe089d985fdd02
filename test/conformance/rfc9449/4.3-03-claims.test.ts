import { conforms, now } from '../support.js';

conforms('RFC 9449 4.3 item 3', ({ decision }) => {
  const wrong: [string, unknown[]][] = [
    ['jti', [undefined, '', 7, null, ['a'], {}, 'a'.repeat(257)]],
    ['htm', [undefined, '', 7, null, ['POST']]],
    ['htu', [undefined, '', 7, null, ['x']]],
    ['iat', [undefined, '', String(now()), null, -1, 1e308, true]],
    ['ath', [undefined, '', 7, null]],
  ];
  it.each(wrong.flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
    'refuses %s as %j',
    async (name, value) => {
      expect(await decision({ claims: { [name]: value } })).toBe('dpop_claim_missing');
    },
  );
  it('takes a jti of 256 characters and an iat with a fraction', async () => {
    expect(await decision({ claims: { jti: `${Math.random()}`.padEnd(256, 'j') } })).toBe('ok');
    expect(await decision({ claims: { iat: now() + 0.5 } })).toBe('ok');
  });
});
