import { decodeBase64url } from '../../../proxy/src/checks/base64url.js';
import { conforms } from '../support.js';

conforms('RFC 7515 2', ({ decision }) => {
  const last = (text: string, from: string, to: string) =>
    text.slice(0, -1) + to[from.indexOf(text.at(-1)!)]!;
  it('refuses a signature whose unused bits are not zero', async () => {
    // 64 octets end in a character with 4 unused bits: one of A, Q, g, w.
    expect(await decision({ proof: (p) => last(p, 'AQgw', 'BRhx') })).toBe('dpop_signature_bad');
  });
  it('refuses the alphabet of base64, padding and white space', () => {
    for (const text of ['a+b_', 'a/b_', 'AA==', 'AA ', 'A', 'AB', 'AAB'])
      expect(decodeBase64url(text)).toBeUndefined();
    expect(decodeBase64url('AA')).toEqual(Buffer.from([0]));
  });
});
