/** The examples of the RFC itself, with the clock set back to when they were made. */
import type { Routed } from '../../../proxy/src/pipeline/evidence.js';
import { Denial } from '../../../proxy/src/pipeline/reason.js';
import { verifies } from '../../../proxy/src/checks/signature.js';
import { sha256 } from '../../../proxy/test/support/mint.js';
import { checkProof, createProofHeaderCache } from '../../../proxy/src/profiles/proof.js';
import { parseConfig } from '../../../proxy/src/config/index.js';

const HEADER =
  'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklD' +
  'UkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2' +
  'R1JEQSIsImNydiI6IlAtMjU2In19';
const RESOURCE =
  `${HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9` +
  'yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9' +
  'hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd' +
  '-jfxSYoMxhAJpLjA';
const TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU';

const auth = (() => {
  const parsed = parseConfig({
    version: 1,
    publicOrigins: ['https://resource.example.org'],
    issuers: [{ name: 'a', issuer: 'a', jwks: { file: '/a' } }],
    replay: { store: 'memory' },
    routes: [
      {
        kind: 'mcp',
        name: 'r',
        pathPrefix: '/protectedresource',
        auth: { profile: 'dpop', issuers: ['a'] },
        backend: { url: 'http://a' },
      },
    ],
  });
  if (!parsed.ok || parsed.config.routes[0]!.auth.profile !== 'dpop') throw new Error('config');
  return parsed.config.routes[0]!.auth;
})();
const check = (at: number, { method = 'GET', path = '/protectedresource', token = TOKEN } = {}) =>
  checkProof(
    RESOURCE,
    { method, publicPath: path, origins: ['https://resource.example.org'], facts: {} } as unknown as Routed,
    sha256(token),
    at,
    {
      auth,
      nonces: undefined,
      headerCache: createProofHeaderCache(),
      verify: (_, ...work) => verifies(...work),
      refuseLimited: () => undefined,
    },
  );

describe('RFC 9449, figures 2 and 12', () => {
  it('takes the proof of the example at its time, by the key whose thumbprint figure 6 has', () => {
    expect(check(1_562_262_618)).toMatchObject({
      jti: 'e1j3V_bKic8-LAEB',
      jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
    });
  });
  it('refuses it at another time, for another method, URI or token', () => {
    const reasons = [
      check(1_562_263_000),
      check(1_562_262_618, { method: 'POST' }),
      check(1_562_262_618, { path: '/other' }),
      check(1_562_262_618, { token: 'x' }),
    ].map((v) => (v instanceof Denial ? v.reason : 'ok'));
    expect(reasons).toEqual(['dpop_expired', 'dpop_htm_mismatch', 'dpop_htu_mismatch', 'dpop_ath_mismatch']);
  });
});
