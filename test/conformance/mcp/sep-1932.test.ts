/**
 * The checks of the official suite's scenario for servers (auth/dpop-server-validation, pull request 395), which no
 * release has yet, written anew: a valid request passes, each with one defect is 401 with a DPoP challenge that names
 * the error. Tokens as its helper makes them: `typ: at+jwt`, without client_id and jti.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ORIGIN,
  startFixture,
  type Answer,
  type GatewayFixture,
} from '../../../proxy/test/support/gateway.js';
import { ec, jws, jwkOf, proof, thumbprint } from '../../../proxy/test/support/mint.js';

const HTU = `${ORIGIN}/mcp`;
const issuer = ec();
const client = ec();
const foreign = ec();
const now = () => Math.floor(Date.now() / 1000);
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config, { dir }) => {
      const jwks = join(dir, 'suite.json');
      writeFileSync(jwks, JSON.stringify({ keys: [jwkOf(issuer)] }));
      writeFileSync(join(dir, 'nonce-keys'), 'n'.repeat(32));
      config.issuers = [
        { name: 'suite', issuer: 'https://issuer.example', preset: 'typed', jwks: { file: jwks } },
      ];
      const [mcp] = config.routes as [(typeof config.routes)[number]];
      const auth = { profile: 'dpop', issuers: ['suite'] };
      const nonce = { keys: { file: join(dir, 'nonce-keys') } };
      config.routes = [
        { ...mcp, auth },
        { ...mcp, name: 'nonce', pathPrefix: '/nonce', auth: { ...auth, nonce } },
      ] as typeof config.routes;
    },
  });
});
afterAll(() => fixture.stop());

const token = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  jws(
    { alg: 'ES256', typ: 'at+jwt', ...header },
    {
      iss: 'https://issuer.example',
      aud: HTU,
      sub: 'conformance-test-subject',
      iat: now(),
      exp: now() + 3600,
      cnf: { jkt: thumbprint(client) },
      ...claims,
    },
    issuer.privateKey,
  );
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};
/** The probe of each revision. */
const PROBES: Record<string, { headers: Record<string, string>; body: object }> = {
  '2025-11-25': {
    headers: {},
    body: {
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
    },
  },
  '2026-07-28': {
    headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' },
    body: { method: 'server/discover', params: { _meta: META } },
  },
};
const send = (
  revision: string,
  credentials: { authorization?: string; dpop?: string | string[] },
  path = '/mcp',
): Promise<Answer> => {
  const { headers, body } = PROBES[revision]!;
  return fixture.ask({
    method: 'POST',
    path,
    headers: { host: 'gw.example', ...headers, ...credentials },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
  });
};
const bound = (dpop: string | string[], accessToken: string) => ({
  authorization: `DPoP ${accessToken}`,
  dpop,
});
const signed = (
  accessToken: string,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
) => proof(client, 'POST', HTU, accessToken, { claims, header });
/** Member by member, so that one can be left out. */
const without = (name: string, accessToken: string) => signed(accessToken, { [name]: undefined });
const unsigned = (accessToken: string, alg: string) => {
  const [, payload] = signed(accessToken).split('.');
  const text = `${part({ alg, typ: 'dpop+jwt', jwk: jwkOf(client) })}.${payload}`;
  const signature = alg === 'none' ? '' : createHmac('sha256', 'secret').update(text).digest('base64url');
  return `${text}.${signature}`;
};
const tampered = (text: string) => {
  const [header, payload, signature = ''] = text.split('.');
  return `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
};
const privateJwk = () => client.privateKey.export({ format: 'jwk' });

/** What is wrong with the request, and the error that its challenge must name. */
const DEFECTS: [string, (t: string) => { authorization: string; dpop: string | string[] }, RegExp][] = [
  ['a tampered signature', (t) => bound(tampered(signed(t)), t), /invalid_dpop_proof/],
  ['no jti', (t) => bound(without('jti', t), t), /invalid_dpop_proof/],
  ['another typ', (t) => bound(signed(t, {}, { typ: 'jwt' }), t), /invalid_dpop_proof/],
  ['another htu', (t) => bound(signed(t, { htu: 'https://wrong.example.com/mcp' }), t), /invalid_dpop_proof/],
  ['another htm', (t) => bound(signed(t, { htm: 'GET' }), t), /invalid_dpop_proof/],
  ['a private key in jwk', (t) => bound(signed(t, {}, { jwk: privateJwk() }), t), /invalid_dpop_proof/],
  ['another ath', (t) => bound(signed(t, { ath: 'not-the-right-hash' }), t), /invalid_dpop_proof/],
  [
    'the Bearer scheme',
    (t) => ({ authorization: `Bearer ${t}`, dpop: signed(t) }),
    /invalid_(token|dpop_proof)/,
  ],
  ['two DPoP fields', (t) => bound([signed(t), signed(t)], t), /invalid_dpop_proof/],
  ['no htm', (t) => bound(without('htm', t), t), /invalid_dpop_proof/],
  ['no htu', (t) => bound(without('htu', t), t), /invalid_dpop_proof/],
  ['no iat', (t) => bound(without('iat', t), t), /invalid_dpop_proof/],
  ['no jwk', (t) => bound(signed(t, {}, { jwk: undefined }), t), /invalid_dpop_proof/],
  ['no ath', (t) => bound(without('ath', t), t), /invalid_dpop_proof/],
  ['what is no JWT', (t) => bound('this-is-not-a-jwt', t), /invalid_dpop_proof/],
  ['a stale iat', (t) => bound(signed(t, { iat: now() - 303 }), t), /invalid_dpop_proof/],
  ['an iat in the future', (t) => bound(signed(t, { iat: now() + 303 }), t), /invalid_dpop_proof/],
  ['alg none', (t) => bound(unsigned(t, 'none'), t), /invalid_dpop_proof/],
  ['a symmetric alg', (t) => bound(unsigned(t, 'HS256'), t), /invalid_dpop_proof/],
];
const challengeOf = ({ headers }: Answer) => [headers['www-authenticate']].flat().join(', ');
function expectRefused(answer: Answer, error: RegExp): void {
  expect([answer.status, challengeOf(answer)]).toEqual([401, expect.stringMatching(/^DPoP /)]);
  expect(/error="(\w+)"/.exec(challengeOf(answer))![1]).toMatch(error);
}

describe('MCP SEP-1932', () => {
  describe.each(Object.keys(PROBES))('checks of a server: %s', (revision) => {
    it('without credentials: a DPoP challenge with algs', async () => {
      const answer = await send(revision, {});
      expect([answer.status, challengeOf(answer)]).toEqual([
        401,
        expect.stringMatching(/^DPoP .*algs="[^"]*ES256/),
      ]);
      expect(challengeOf(answer)).not.toContain('error=');
    });
    it('the metadata that it names says that DPoP is required, with asymmetric algorithms only', async () => {
      const url = /resource_metadata="([^"]+)"/.exec(challengeOf(await send(revision, {})))![1]!;
      const { text } = await fixture.ask({ path: new URL(url).pathname, headers: { host: 'gw.example' } });
      const metadata = JSON.parse(text) as Record<string, unknown>;
      expect(metadata.dpop_bound_access_tokens_required).toBe(true);
      const algorithms = metadata.dpop_signing_alg_values_supported as string[];
      expect(algorithms.length).toBeGreaterThan(0);
      expect(algorithms.filter((alg) => /^(none|HS)/i.test(alg))).toEqual([]);
    });
    it('a valid request passes', async () => {
      const t = token();
      expect((await send(revision, bound(signed(t), t))).status).toBe(200);
    });
    it('an unbound token as Bearer does not, as the metadata says', async () => {
      expect((await send(revision, { authorization: `Bearer ${token({ cnf: undefined })}` })).status).toBe(
        401,
      );
    });
    it.each(DEFECTS)('%s is refused', async (_, defective, error) => {
      const before = fixture.seen.length;
      expectRefused(await send(revision, defective(token())), error);
      expect(fixture.seen.length).toBe(before);
    });
    it('a token that is bound to another key is refused', async () => {
      const t = token({ cnf: { jkt: thumbprint(foreign) } });
      expectRefused(await send(revision, bound(signed(t), t)), /invalid_(token|dpop_proof)/);
    });
    it('a token for another audience is refused', async () => {
      const t = token({ aud: 'https://not-this-server.example.com/mcp' });
      expectRefused(await send(revision, bound(signed(t), t)), /invalid_token/);
    });
    it('a nonce: asked for, taken once it is given, and no other', async () => {
      const t = token({ aud: `${ORIGIN}/nonce` });
      const at = (nonce?: string) => {
        const claims = { htu: `${ORIGIN}/nonce`, jti: randomUUID(), ...(nonce !== undefined && { nonce }) };
        return send(revision, bound(signed(t, claims), t), '/nonce');
      };
      const first = await at();
      expectRefused(first, /use_dpop_nonce/);
      expect((await at(String(first.headers['dpop-nonce']))).status).toBe(200);
      expectRefused(await at('definitely-not-the-server-nonce'), /use_dpop_nonce/);
    });
  });
  it.each([undefined, 'JWT', 'id+jwt', 'logout+jwt', ''])('preset typed never takes typ %j', async (typ) => {
    const t = token({}, { typ });
    expectRefused(await send('2025-11-25', bound(signed(t), t)), /invalid_token/);
  });
});
