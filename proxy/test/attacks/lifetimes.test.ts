/**
 * The attack: a token or proof whose lifetime ends before it begins (`exp` before `iat` or `nbf`). Clocks may
 * differ by a minute, and within that leeway each of the three claims looks good by itself; what is made so is
 * forged, or of an issuer whose clock cannot be trusted. It is refused wherever times are read.
 */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, seconds, selfSignedToken, thumbprint } from '../support/mint.js';
import { introspectionAt } from '../support/introspection.js';
import { reasonOf } from '../support/reason-of.js';

const client = ec();
const cnf = { jkt: thumbprint(client) };
let said: Record<string, unknown>;
const server = http.createServer((_, response) => response.end(JSON.stringify(said)));
let fixture: GatewayFixture;
describe.each([1, 2])('over HTTP/%d', (version) => {
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    fixture = await startFixture({
      http2: version === 2,
      change: (config, { dir }) => {
        writeFileSync(join(dir, 'nonce-keys'), `${'n'.repeat(32)}\n`);
        config.issuers.push({
          name: 'opaque',
          issuer: 'https://opaque.example',
          introspection: introspectionAt(server, dir),
        });
        const [mcp, self] = config.routes as [(typeof config.routes)[number], (typeof config.routes)[number]];
        const dpop = { profile: 'dpop', issuers: ['as', 'opaque'], audiences: ['all'] };
        const nonce = { keys: { file: join(dir, 'nonce-keys') }, timeFromNonce: true };
        Object.assign(self.auth, { clockSkewSeconds: 60 });
        config.routes = [
          { ...mcp, auth: dpop },
          { ...mcp, name: 'nonce', pathPrefix: '/nonce', auth: { ...dpop, nonce } },
          self,
        ] as typeof config.routes;
      },
    });
  });
  afterAll(async () => {
    await fixture.stop();
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    fixture.seen.length = 0;
  });

  type Claims = Record<string, unknown>;
  interface Shape {
    readonly path?: string;
    readonly claims?: Claims;
    readonly token?: string;
  }
  const send = async (headers: Record<string, string>, path: string) => {
    const answer = await fixture.ask({ method: 'POST', path, headers });
    const reason = await reasonOf(fixture, answer);
    expect([answer.status, fixture.seen.length]).toEqual(reason === 'ok' ? [200, 1] : [401, 0]);
    fixture.seen.length = 0;
    return { reason, nonce: answer.headers['dpop-nonce'] as string };
  };
  const withProof = ({
    path = '/mcp',
    claims,
    token = accessToken(fixture.as, { cnf, aud: 'all' }),
  }: Shape) =>
    send(
      {
        authorization: `DPoP ${token}`,
        dpop: proof(client, 'POST', ORIGIN + path, token, { claims: claims ?? {} }),
      },
      path,
    );

  /** Times that are each within the leeway of a minute, but end before they begin. */
  const backwards = (): [string, Claims][] => [
    ['exp before iat', { iat: seconds() + 20, exp: seconds() + 10 }],
    ['exp a moment before iat', { iat: seconds(), exp: seconds() - 0.5 }],
    ['exp before nbf', { iat: seconds() - 40, nbf: seconds() + 20, exp: seconds() + 10 }],
  ];
  it.each(backwards().map(([name], i) => [name, i] as const))('%s is refused everywhere', async (_, i) => {
    const times = () => backwards()[i]![1];
    const opaque = () => {
      said = { active: true, aud: 'all', cnf, ...times() };
      return `opaque-${i}`;
    };
    const { nonce } = await withProof({ path: '/nonce' });
    expect({
      accessToken: (await withProof({ token: accessToken(fixture.as, { cnf, aud: 'all', ...times() }) }))
        .reason,
      introspected: (await withProof({ token: opaque() })).reason,
      proof: (await withProof({ claims: times() })).reason,
      proofByNonce: (await withProof({ path: '/nonce', claims: { nonce, ...times() } })).reason,
      selfSigned: (
        await send(
          { authorization: `Bearer ${selfSignedToken(fixture.self, 'POST', `${ORIGIN}/self`, times())}` },
          '/self',
        )
      ).reason,
    }).toEqual({
      accessToken: 'token_claim_missing',
      introspected: 'token_claim_missing',
      proof: 'dpop_claim_missing',
      proofByNonce: 'dpop_claim_missing',
      selfSigned: 'token_claim_missing',
    });
  });
  it('so is a time of an introspection that is no date', async () => {
    for (const [i, iat] of ['1', null, -1, 1e300].entries()) {
      said = { active: true, aud: 'all', cnf, iat };
      expect((await withProof({ token: `odd-${i}` })).reason).toBe('token_claim_missing');
    }
  });
  it('a clock that is a little ahead, and a lifetime that ends where it begins, are no fault', async () => {
    const ahead = { iat: seconds() + 20, nbf: seconds() + 20, exp: seconds() + 60 };
    const moment = { iat: seconds(), exp: seconds() };
    for (const times of [ahead, moment]) {
      expect(
        (await withProof({ token: accessToken(fixture.as, { cnf, aud: 'all', ...times }) })).reason,
      ).toBe('ok');
      expect((await withProof({ claims: times })).reason).toBe('ok');
    }
  });
});
