import { conforms } from '../support.js';

conforms('RFC 7515 4.1.11', ({ decision, self }) => {
  it.each([{ crit: ['exp'] }, { crit: [] }, { crit: 'x' }, { b64: false, crit: ['b64'] }, { b64: true }])(
    'refuses %j in a proof and in a token (RFC 7797 7)',
    async (header) => {
      expect(await decision({ header })).toBe('dpop_malformed');
      expect(await decision({ tokenHeader: header })).toBe('token_malformed');
      expect(await self({}, header)).toBe('token_malformed');
    },
  );
});
