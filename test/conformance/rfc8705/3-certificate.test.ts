import { sha256 } from '../../../proxy/test/support/mint.js';
import { conforms, jkt } from '../support.js';

const der = Buffer.from([0x30, 1, 2, 3]);
const x5t = sha256(der as unknown as string);
const shown = ['Client-Cert', `:${der.toString('base64')}:`];
conforms(
  'RFC 8705 3',
  ({ decision }) => {
    const ask = (cnf: unknown, headers: readonly string[]) =>
      decision({ scheme: 'Bearer', proof: '', token: { cnf }, headers });
    it('takes the token with its certificate', async () =>
      expect(await ask({ 'x5t#S256': x5t }, shown)).toBe('ok'));
    it('refuses it with another, with none, and a token that names none', async () => {
      expect(await ask({ 'x5t#S256': x5t }, ['Client-Cert', ':AAAA:'])).toBe('certificate_mismatch');
      for (const headers of [[], ['Client-Cert', x5t], ['Client-Cert', '::'], [...shown, ...shown]])
        expect(await ask({ 'x5t#S256': x5t }, headers)).toBe('certificate_missing');
      expect(await ask({ jkt }, shown)).toBe('token_not_bound');
    });
  },
  (config) => {
    config.trustedPeers = ['127.0.0.0/8'];
    (config.routes[0] as { auth: unknown }).auth = {
      profile: 'mtls',
      issuers: ['as'],
      certificateFrom: 'header',
    };
  },
);
conforms(
  "RFC 9440 3: from anybody but a trusted peer it is the client's own word",
  ({ decision }) => {
    it('refuses the token', async () =>
      expect(
        await decision({ scheme: 'Bearer', proof: '', token: { cnf: { 'x5t#S256': x5t } }, headers: shown }),
      ).toBe('certificate_missing'));
  },
  (config) => {
    config.trustedPeers = ['10.0.0.0/8'];
    (config.routes[0] as { auth: unknown }).auth = {
      profile: 'mtls',
      issuers: ['as'],
      certificateFrom: 'header',
    };
  },
);
