import { conforms } from '../support.js';

conforms(
  'RFC 6750 3',
  ({ ask, fixture }) => {
    it('3.1: 403 with all scopes where one is missing', async () => {
      const answer = await ask({ token: { scope: 'a' } });
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([
        403,
        expect.stringMatching(/^DPoP error="insufficient_scope", error_description="[^"]*", scope="a b",/),
      ]);
      expect((await ask({ token: { scope: 'c b a' } })).status).toBe(200);
      for (const scope of ['ab', 'a,b', undefined, ['a', 'b']])
        expect((await ask({ token: { scope } })).status).toBe(403);
    });
    it('names the scopes in the first challenge (MCP)', async () =>
      expect((await ask({ accessToken: 'x' })).headers['www-authenticate']).toContain('scope="a b"'));
    it('answers in JSON that nobody stores', async () => {
      const answer = await ask({ htm: 'GET' });
      expect(JSON.parse(answer.text)).toEqual({
        error: 'invalid_dpop_proof',
        error_description: expect.any(String),
      });
      expect([answer.headers['cache-control'], answer.headers['content-type']]).toEqual([
        'no-store',
        'application/json',
      ]);
    });
    it('says nothing in a self-signed challenge that is not so', async () => {
      const answer = await fixture().ask({ method: 'POST', path: '/self' });
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="agentgateway"');
    });
  },
  (config) => {
    Object.assign(config.routes[0]!.auth, { requiredScopes: ['a', 'b'] });
  },
);
