import { conforms } from '../support.js';

conforms('RFC 9449 7.2', ({ fixture }) => {
  it('refuses an access token in the query with 400 (RFC 6750 3.1, OAuth 2.1 5.1.1)', async () => {
    for (const path of ['/mcp?access_token=x', '/mcp?a=b&ACCESS_TOKEN=x'])
      expect(
        (await fixture().ask({ method: 'POST', path, headers: { authorization: 'DPoP x' } })).status,
      ).toBe(400);
  });
  it('does not read one from a form body', async () => {
    const answer = await fixture().ask({
      method: 'POST',
      path: '/mcp',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'access_token=x',
    });
    expect([answer.status, (await fixture().audit()).at(-1)!.reason]).toEqual([401, 'credentials_missing']);
  });
  it('says the error in the challenge of an ambiguous request', async () => {
    const got = await fixture().raw(
      'POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nAuthorization: DPoP a\r\nAuthorization: Bearer b\r\n\r\n',
      300,
    );
    expect(got).toMatch(/^HTTP\/1\.1 400[^]*WWW-Authenticate: DPoP error="invalid_request"/);
  });
});
