import { conforms } from '../support.js';

conforms('RFC 9449 4.3 item 8', ({ verdict }) => {
  it.each(['GET', 'POST', 'DELETE'])('takes %s for %s', async (method) =>
    expect(await verdict({ method })).toBe('ok'),
  );
  it.each(['post', 'Post', 'GET', 'POST ', 'PO'])('refuses htm %j for POST', async (htm) =>
    expect(await verdict({ htm })).toBe('dpop_htm_mismatch'),
  );
});
