import { accessToken, proof } from '../../../proxy/test/support/mint.js';
import { replayKey } from '../../../proxy/src/replay/replay-key.js';
import { client, conforms, HTU, jkt, now } from '../support.js';

conforms('RFC 9449 11.1', ({ decision, fixture }) => {
  const ask = (token: string, jti: string, htu = HTU) =>
    fixture().ask({
      method: 'POST',
      path: htu.slice(htu.indexOf('/mcp')),
      headers: {
        authorization: `DPoP ${token}`,
        dpop: proof(client, 'POST', htu, token, { claims: { jti } }),
      },
    });
  it('takes a proof once, of a hundred at the same time', async () => {
    const token = accessToken(fixture().as, { cnf: { jkt } });
    const headers = { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', HTU, token) };
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => fixture().ask({ method: 'POST', path: '/mcp', headers })),
    );
    expect(answers.filter((a) => a.status === 200)).toHaveLength(1);
  });
  it('takes a jti of one key once, wherever and with whatever token', async () => {
    const [a, b] = [accessToken(fixture().as, { cnf: { jkt } }), accessToken(fixture().as, { cnf: { jkt } })];
    expect([
      (await ask(a, 'same')).status,
      (await ask(b, 'same')).status,
      (await ask(a, 'same', `${HTU}/other`)).status,
    ]).toEqual([200, 401, 401]);
  });
  it('does not let one key burn the jti of another, and no spelling tricks join two', () => {
    const keys = [
      ['dpop', 'a', 'b'],
      ['dpop', 'ab', ''],
      ['dpop', '', 'ab'],
      ['selfSigned', 'a', 'b'],
      ['dpop', 'a:1', 'b'],
      ['dpop', 'a', '1:b'],
    ].map(([p, o, j]) => replayKey(p!, o!, j!).toString('hex'));
    expect(new Set(keys).size).toBe(keys.length);
  });
  it('does not burn a jti on a request that it refuses for another reason', async () => {
    const jti = `kept-${Math.random()}`;
    for (const shape of [
      { htm: 'GET' },
      { token: { exp: 1 } },
      { token: { aud: 'x' } },
      { claims: { ath: 'x' } },
      { tokenHeader: { typ: 'JWT' } },
    ]) {
      expect(await decision({ ...shape, claims: { ...shape.claims, jti } })).not.toBe('ok');
    }
    expect(await decision({ claims: { jti } })).toBe('ok');
  });
  it('refuses a proof that is older than what the store remembers', async () =>
    expect(await decision({ claims: { iat: now() - 250 } })).toBe('dpop_predates_store'));
});
