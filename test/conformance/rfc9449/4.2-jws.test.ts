import { conforms } from '../support.js';

conforms('RFC 9449 4.3 item 2', ({ decision }) => {
  it('takes one compact JWS', async () => expect(await decision()).toBe('ok'));
  it.each<[string, (p: string) => string]>([
    ['two parts', (p) => p.slice(0, p.lastIndexOf('.'))],
    ['four parts', (p) => `${p}.AA`],
    ['an empty signature', (p) => p.slice(0, p.lastIndexOf('.') + 1)],
    ['an empty payload', (p) => p.replace(/\.[^.]+\./, '..')],
    ['padding', (p) => `${p}=`],
    ['white space inside', (p) => p.replace('.', ' .')],
    ['a list of two', (p) => `${p},${p}`],
    ['JSON', () => '{}'],
    ['more than 8192 characters', (p) => p.replace('.', `${'A'.repeat(8192)}.`)],
  ])('refuses %s', async (_, change) =>
    expect(['dpop_malformed', 'dpop_signature_bad']).toContain(await decision({ proof: change })),
  );
});
