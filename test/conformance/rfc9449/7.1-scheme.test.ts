import { accessToken } from '../../../proxy/test/support/mint.js';
import { conforms, jkt } from '../support.js';

conforms('RFC 9449 7.1', ({ decision, ask, fixture }) => {
  it.each(['DPoP', 'dpop', 'DPOP'])('takes the scheme name %s (RFC 9110 11.1)', async (scheme) =>
    expect(await decision({ scheme })).toBe('ok'),
  );
  it('refuses a bound token as Bearer, with or without a proof', async () => {
    expect([await decision({ scheme: 'Bearer' }), await decision({ scheme: 'Bearer', proof: '' })]).toEqual([
      'scheme_refused',
      'scheme_refused',
    ]);
  });
  it.each([undefined, {}, { jkt: '' }, { jkt: 7 }, 'x', []])('refuses a token with cnf %j', async (cnf) =>
    expect(await decision({ token: { cnf } })).toBe('token_not_bound'),
  );
  it('answers a request without credentials with a challenge without error, and with algs', async () => {
    const answer = await fixture().ask({ method: 'POST', path: '/mcp' });
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/^DPoP algs="ES256 [^"]*", resource_metadata="[^"]*"$/),
    ]);
  });
  it('answers a bad proof with invalid_dpop_proof and a bad token with invalid_token, both 401', async () => {
    expect((await ask({ htm: 'GET' })).headers['www-authenticate']).toMatch(
      /^DPoP error="invalid_dpop_proof"/,
    );
    expect((await ask({ token: { exp: 1 } })).headers['www-authenticate']).toMatch(
      /^DPoP error="invalid_token"/,
    );
  });
  it('echoes nothing of the client', async () => {
    const answer = await ask({ claims: { htu: 'https://canary.example/' }, header: { typ: 'canary' } });
    expect(JSON.stringify(answer)).not.toContain('canary');
  });
  it('refuses two Authorization fields, other syntax, and Proxy-Authorization', async () => {
    const token = accessToken(fixture().as, { cnf: { jkt } });
    expect((await ask({ headers: ['Authorization', `DPoP ${token}`] })).status).toBe(400);
    for (const value of [`DPoP ${token}, Bearer x`, `DPoP  `, 'DPoP', `DPoP=${token}`, `"DPoP" ${token}`]) {
      expect(
        (await fixture().ask({ method: 'POST', path: '/mcp', headers: { authorization: value } })).status,
      ).toBe(401);
    }
    expect(
      (
        await fixture().ask({
          method: 'POST',
          path: '/mcp',
          headers: { 'proxy-authorization': `DPoP ${token}` },
        })
      ).status,
    ).toBe(401);
  });
});
