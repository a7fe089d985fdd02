import { conforms } from '../support.js';

conforms('RFC 9449 4.3 item 4', ({ decision }) => {
  it.each([undefined, 'JWT', 'at+jwt', 'application/dpop+jwt', 'DPOP+JWT', '', 7, null, ['dpop+jwt']])(
    'refuses typ %j',
    async (typ) => {
      expect(await decision({ header: { typ } })).toBe('dpop_type_refused');
    },
  );
});
