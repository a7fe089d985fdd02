import fc from 'fast-check';
import { decodeBase64url } from '../../src/checks/base64url.js';

describe('decodeBase64url', () => {
  it('reads every canonical text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(decodeBase64url(Buffer.from(bytes).toString('base64url'))).toEqual(Buffer.from(bytes));
      }),
    );
  });
  it('accepts a text if and only if it is what its bytes encode to', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'AQgwzZ019_-+/= '), maxLength: 12 }), (text) => {
        const canonical = Buffer.from(text, 'base64url').toString('base64url') === text;
        expect(decodeBase64url(text) !== undefined).toBe(canonical);
      }),
      { numRuns: 5000 },
    );
  });
  it.each(['QQ==', 'Q', 'QR', 'Q Q', 'Q+Q', 'QQ\n'])('refuses %j', (text) => {
    expect(decodeBase64url(text)).toBeUndefined();
  });
});
