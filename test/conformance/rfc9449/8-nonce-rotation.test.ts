import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeNonce, timeOfNonce } from '../../../proxy/src/checks/nonce.js';
import { createHash } from 'node:crypto';
import { conforms, now } from '../support.js';

const SECRET = 'n'.repeat(32);
const key = createHash('sha256').update(SECRET).digest();

conforms(
  'RFC 9449 8.2',
  ({ ask, decision }) => {
    it("gives a fresh nonce on a success at half of the old one's life, uncacheable", async () => {
      const answer = await ask({ claims: { nonce: makeNonce(key, now() - 200) } });
      expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store']);
      expect(timeOfNonce(answer.headers['dpop-nonce'] as string, [key])).toBeGreaterThan(now() - 5);
    });
    it('leaves a success with a young nonce alone', async () =>
      expect(
        (await ask({ claims: { nonce: makeNonce(key, now() - 10) } })).headers['dpop-nonce'],
      ).toBeUndefined());
    it('refuses one that is too old, and one from the future', async () => {
      expect([
        await decision({ claims: { nonce: makeNonce(key, now() - 305) } }),
        await decision({ claims: { nonce: makeNonce(key, now() + 30) } }),
      ]).toEqual(['dpop_nonce_refused', 'dpop_nonce_refused']);
    });
  },
  (config, { dir }) => {
    writeFileSync(join(dir, 'nonces'), SECRET);
    Object.assign(config.routes[0]!.auth, { nonce: { keys: { file: join(dir, 'nonces') } } });
  },
);
