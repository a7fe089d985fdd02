import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { conforms, HTU, jkt, now } from '../support.js';

let said: Record<string, unknown> = {};
let asked = 0;
const server = http
  .createServer((_, response) => {
    asked += 1;
    response.end(JSON.stringify(said));
  })
  .listen(0, '127.0.0.1');
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

conforms(
  'RFC 7662 2.2, 4',
  ({ decision }) => {
    const opaque = () => `opaque-${Math.random()}`;
    const good = { active: true, aud: HTU, cnf: { jkt } };
    it('takes an active token that is bound to the key (RFC 9449 6.2)', async () => {
      said = good;
      expect(await decision({ accessToken: opaque() })).toBe('ok');
    });
    it.each([
      [{ active: false }, 'token_inactive'],
      [{ ...good, cnf: {} }, 'token_not_bound'],
      [{ ...good, exp: 1 }, 'token_expired'],
      [{ ...good, aud: 'x' }, 'token_audience_refused'],
    ])('refuses %j', async (answer, reason) => {
      said = answer;
      expect(await decision({ accessToken: opaque() })).toBe(reason);
    });
    it("never keeps an answer past the token's exp", async () => {
      said = { ...good, exp: now() + 1 };
      const token = opaque();
      expect(await decision({ accessToken: token })).toBe('ok');
      await new Promise((resolve) => setTimeout(resolve, 1200));
      const before = asked;
      said = { active: false };
      expect(await decision({ accessToken: token })).toBe('token_inactive');
      expect(asked).toBe(before + 1);
    });
  },
  (config, { dir }) => {
    writeFileSync(join(dir, 'secret'), 's');
    config.issuers.push({
      name: 'o',
      issuer: 'o',
      introspection: {
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        clientId: 'c',
        clientSecret: { file: join(dir, 'secret') },
      },
    });
    Object.assign(config.routes[0]!.auth, { issuers: ['o'] });
  },
);
