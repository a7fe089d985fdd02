import { conforms } from '../support.js';

conforms('RFC 9449 4.3 item 8', ({ decision }) => {
  it.each(['GET', 'POST', 'DELETE'])('takes %s for %s', async (method) =>
    expect(await decision({ method })).toBe('ok'),
  );
  it.each(['post', 'Post', 'GET', 'POST ', 'PO'])('refuses htm %j for POST', async (htm) =>
    expect(await decision({ htm })).toBe('dpop_htm_mismatch'),
  );
});
