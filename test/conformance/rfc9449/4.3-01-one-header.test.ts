import { accessToken, proof } from '../../../proxy/test/support/mint.js';
import { client, conforms, HTU, jkt } from '../support.js';

conforms('RFC 9449 4.3 item 1', ({ decision, fixture }) => {
  it('refuses a request without a DPoP field', async () =>
    expect(await decision({ proof: '' })).toBe('dpop_missing'));
  it('refuses two DPoP fields, also two equal ones and ones in other cases', async () => {
    for (const name of ['DPoP', 'dpop', 'DPOP']) {
      const token = accessToken(fixture().as, { cnf: { jkt } });
      const one = proof(client, 'POST', HTU, token);
      const answer = await fixture().ask({
        method: 'POST',
        path: '/mcp',
        headers: ['Host', 'a', 'Authorization', `DPoP ${token}`, 'DPoP', one, name, one],
      });
      expect([answer.status, (await fixture().audit()).at(-1)!.reason]).toEqual([401, 'dpop_repeated']);
    }
  });
});
