import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conforms } from '../support.js';

conforms(
  'RFC 9449 4.3 item 10',
  ({ ask, decision }) => {
    it('refuses a proof without the nonce that was given, and takes it with it', async () => {
      const answer = await ask();
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([
        401,
        expect.stringMatching(/^DPoP error="use_dpop_nonce"/),
      ]);
      expect(await decision({ claims: { nonce: answer.headers['dpop-nonce'] } })).toBe('ok');
    });
    it('never again takes one without (11.3)', async () =>
      expect(await decision()).toBe('dpop_nonce_missing'));
    it('gives one DPoP-Nonce field of NQCHAR (8.1)', async () => {
      const { headers } = await ask();
      expect(headers['dpop-nonce']).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/);
      expect(headers['dpop-nonce']).not.toContain(',');
    });
  },
  (config, { dir }) => {
    writeFileSync(join(dir, 'nonces'), 'n'.repeat(32));
    Object.assign(config.routes[0]!.auth, { nonce: { keys: { file: join(dir, 'nonces') } } });
  },
);
