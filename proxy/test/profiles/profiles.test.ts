/** Profiles beside dpop and selfSigned, what challenges say under each, metadata, browsers, and proxies in front. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '../../src/config/index.js';
import { ORIGIN, startFixture, type Answer, type Ask, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, sha256, thumbprint, type ProofParts } from '../support/mint.js';
import { beginSession } from '../support/session.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-profiles-'));
const client = ec();
const jkt = thumbprint(client);
const auth = { profile: 'dpop' as const, issuers: ['as'] };
type Change = (config: ConfigInput, backend: { url: string }) => void;
const fixtures: GatewayFixture[] = [];
const start = async (change: Change) => {
  const fixture = await startFixture({
    change: (config, { backendPort }) => change(config, { url: `http://127.0.0.1:${backendPort}` }),
  });
  fixtures.push(fixture);
  return fixture;
};
afterAll(async () => {
  for (const fixture of fixtures) await fixture.stop();
  rmSync(dir, { recursive: true });
});

interface Shape {
  path?: string;
  method?: string;
  htu?: string;
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  proof?: ProofParts;
  headers?: Record<string, string>;
  body?: string;
}
const dpopAsk = (
  fixture: GatewayFixture,
  { path = '/mcp', method = 'POST', htu, claims, header, proof: parts, headers, body }: Shape = {},
): Ask => {
  const token = accessToken(fixture.as, { aud: ORIGIN + path, cnf: { jkt }, ...claims }, header);
  return {
    method,
    path,
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(client, method, htu ?? ORIGIN + path, token, parts),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  };
};
const bearer = (
  fixture: GatewayFixture,
  claims: Record<string, unknown>,
  path = '/mcp',
  headers: Record<string, string> = {},
): Ask => ({
  method: 'POST',
  path,
  headers: {
    authorization: `Bearer ${accessToken(fixture.as, { aud: ORIGIN + path, ...claims })}`,
    ...headers,
  },
});
const reasonOf = async (fixture: GatewayFixture) => (await fixture.audit()).at(-1)!.reason;
const challengesOf = (answer: Answer) => answer.headers['www-authenticate'] ?? '';

describe('mixed, for a migration (RFC 9449 7.2)', () => {
  let fixture: GatewayFixture;
  beforeAll(async () => {
    fixture = await start((config, backend) => {
      config.routes = [
        { kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth: { ...auth, profile: 'mixed' }, backend },
      ];
    });
  });

  it('takes an unbound token as Bearer, again and again, and a bound one with its proof, once', async () => {
    const unbound = bearer(fixture, {});
    expect([(await fixture.ask(unbound)).status, (await fixture.ask(unbound)).status]).toEqual([200, 200]);
    const bound = dpopAsk(fixture);
    expect([(await fixture.ask(bound)).status, (await fixture.ask(bound)).status]).toEqual([200, 401]);
  });
  it.each([{ jkt: 'x' }, { 'x5t#S256': 'x' }, {}, 'odd', null])(
    'never takes a token with cnf %j as Bearer',
    async (cnf) => {
      expect((await fixture.ask(bearer(fixture, { cnf }))).status).toBe(401);
      expect(await reasonOf(fixture)).toBe('token_bound');
    },
  );
  it('offers both schemes, with the error in the one that was used', async () => {
    const [none, wrong] = [
      challengesOf(await fixture.ask({ method: 'POST', path: '/mcp' })),
      challengesOf(await fixture.ask(bearer(fixture, { exp: 1 }))),
    ];
    expect(none).toMatch(/^DPoP algs=.*, Bearer resource_metadata=/);
    expect(none).not.toMatch(/error=/);
    expect(wrong).toMatch(/^DPoP algs="[^"]*", resource_metadata="[^"]*", Bearer error="invalid_token"/);
    expect(challengesOf(await fixture.ask(dpopAsk(fixture, { htu: 'https://other.example/' })))).toMatch(
      /^DPoP error="invalid_dpop_proof".*, Bearer resource_metadata/,
    );
  });
  it('puts the error into both where it cannot tell which was meant', async () => {
    const got = await fixture.raw(
      'POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nAuthorization: DPoP a\r\nAuthorization: Bearer b\r\n\r\n',
      300,
    );
    expect(got).toMatch(/^HTTP\/1.1 400/);
    expect(got.match(/error="invalid_request"/g)).toHaveLength(2);
  });
});

describe('mtls (RFC 8705 3)', () => {
  const file = (name: string) => join(dir, name);
  const make = (name: string) =>
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '1',
        '-subj',
        `/CN=${name}`,
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        file(`${name}.key`),
        '-out',
        file(`${name}.crt`),
      ],
      { stdio: 'pipe' },
    );
  let fixture: GatewayFixture;
  let x5t: string;
  beforeAll(async () => {
    for (const name of ['server', 'client', 'thief']) make(name);
    x5t = sha256Of('client');
    fixture = await start((config, backend) => {
      config.listen = {
        ...config.listen,
        tls: { certFile: file('server.crt'), keyFile: file('server.key') },
      };
      config.trustedPeers = ['127.0.0.0/8'];
      config.routes = [
        { kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth: { profile: 'mtls', issuers: ['as'] }, backend },
        {
          kind: 'mcp',
          name: 'behind',
          pathPrefix: '/behind',
          auth: { profile: 'mtls', issuers: ['as'], certificateFrom: 'header' },
          backend,
        },
        { kind: 'mcp', name: 'both', pathPrefix: '/both', auth, backend },
      ];
    });
  });
  const der = (name: string) => new X509Certificate(readFileSync(file(`${name}.crt`))).raw;
  const sha256Of = (name: string) => createThumbprint(der(name));
  const tlsAsk = (ask: Ask, name?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const identity =
        name === undefined
          ? {}
          : { cert: readFileSync(file(`${name}.crt`)), key: readFileSync(file(`${name}.key`)) };
      const out = https.request(
        {
          host: '127.0.0.1',
          port: fixture.gateway.port,
          method: ask.method!,
          path: ask.path!,
          headers: ask.headers as http.OutgoingHttpHeaders,
          ca: readFileSync(file('server.crt')),
          agent: false,
          ...identity,
        },
        (answer) => {
          answer
            .resume()
            .on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text: '' }));
        },
      );
      out.on('error', reject).end();
    });
  const token = () => bearer(fixture, { cnf: { 'x5t#S256': x5t } });

  it('takes the token on the connection of its certificate, again and again', async () => {
    const ask = token();
    expect([(await tlsAsk(ask, 'client')).status, (await tlsAsk(ask, 'client')).status]).toEqual([200, 200]);
    expect((await fixture.audit()).at(-1)).toMatchObject({ 'mtls.x5t#S256': x5t });
  });
  it('refuses it on any other connection, and with a Client-Cert header where the connection counts', async () => {
    expect((await tlsAsk(token(), 'thief')).status).toBe(401);
    expect(await reasonOf(fixture)).toBe('certificate_mismatch');
    const ask = token();
    (ask.headers as Record<string, string>)['client-cert'] = `:${der('client').toString('base64')}:`;
    expect((await tlsAsk(ask)).status).toBe(401);
    expect(await reasonOf(fixture)).toBe('certificate_missing');
  });
  it('takes the word of a trusted peer where the config says so (RFC 9440)', async () => {
    const headers = (name: string) => ({ 'client-cert': `:${der(name).toString('base64')}:` });
    expect(
      (await tlsAsk(bearer(fixture, { cnf: { 'x5t#S256': x5t } }, '/behind', headers('client')))).status,
    ).toBe(200);
    expect(
      (await tlsAsk(bearer(fixture, { cnf: { 'x5t#S256': x5t } }, '/behind', headers('thief')))).status,
    ).toBe(401);
  });
  it.each([
    [{}, 'token_not_bound'],
    [{ cnf: { jkt } }, 'token_not_bound'],
    [{ cnf: { jkt, 'x5t#S256': 'both' } }, 'token_bound'],
  ])('refuses a token with %j', async (claims, reason) => {
    expect((await tlsAsk(bearer(fixture, claims), 'client')).status).toBe(401);
    expect(await reasonOf(fixture)).toBe(reason);
  });
  it('checks both bindings of a token that has both, under dpop', async () => {
    const ask = () => dpopAsk(fixture, { path: '/both', claims: { cnf: { jkt, 'x5t#S256': x5t } } });
    expect((await tlsAsk(ask(), 'client')).status).toBe(200);
    expect((await tlsAsk(ask(), 'thief')).status).toBe(401);
    expect((await tlsAsk(ask())).status).toBe(401);
  });
  it('shakes hands with a renewed certificate, and keeps the last good one when the files do not fit', async () => {
    writeFileSync(file('server.crt'), readFileSync(file('thief.crt')));
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(fixture.warnings.join()).toMatch(/stays in use/);
    writeFileSync(file('server.key'), readFileSync(file('thief.key')));
    await new Promise((resolve) => setTimeout(resolve, 1300));
    expect(fixture.warnings).toHaveLength(1);
    expect((await tlsAsk(token(), 'client')).status).toBe(200); // the client trusts the new one only
  });
});
const createThumbprint = (der: Buffer) => sha256(der as unknown as string);

describe('tokens that are not JWTs (RFC 7662)', () => {
  let server: http.Server;
  let asked: { token: string; authorization: string | undefined }[];
  let said: (token: string) => Record<string, unknown> | undefined;
  let fixture: GatewayFixture;
  beforeAll(async () => {
    server = http.createServer((message, response) => {
      let form = '';
      message
        .on('data', (chunk: Buffer) => {
          form += chunk.toString();
        })
        .on('end', () => {
          const token = new URLSearchParams(form).get('token')!;
          asked.push({ token, authorization: message.headers.authorization });
          const answer = said(token);
          response.writeHead(answer === undefined ? 500 : 200).end(JSON.stringify(answer));
        });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    writeFileSync(join(dir, 'client-secret'), 's/e cret');
    fixture = await start((config, backend) => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      config.issuers.push({
        name: 'opaque',
        issuer: 'https://opaque.example',
        introspection: {
          url,
          clientId: 'gw:1',
          clientSecret: { file: join(dir, 'client-secret') },
          timeoutSeconds: 0.3,
        },
      });
      config.routes = [
        {
          kind: 'mcp',
          name: 'mcp',
          pathPrefix: '/mcp',
          auth: { ...auth, issuers: ['opaque', 'as'], requiredScopes: ['mcp:read'] },
          backend,
        },
      ];
    });
  });
  beforeEach(() => {
    asked = [];
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const good = { active: true, aud: `${ORIGIN}/mcp`, scope: 'mcp:read', sub: 'agent', cnf: { jkt } };
  const ask = (token: string) =>
    fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token) },
    });

  it('asks once, authenticated, and believes the answer for a while', async () => {
    said = () => good;
    expect([(await ask('opaque-1')).status, (await ask('opaque-1')).status]).toEqual([200, 200]);
    expect(asked).toEqual([
      { token: 'opaque-1', authorization: `Basic ${Buffer.from('gw%3A1:s%2Fe%20cret').toString('base64')}` },
    ]);
  });
  it('asks once for a hundred requests at the same time', async () => {
    said = () => good;
    expect(
      (await Promise.all(Array.from({ length: 100 }, () => ask('opaque-2')))).every(
        (answer) => answer.status === 200,
      ),
    ).toBe(true);
    expect(asked).toHaveLength(1);
  });
  it.each([
    ['token_inactive', { active: false }],
    ['token_audience_refused', { ...good, aud: undefined }],
    ['token_expired', { ...good, exp: 1 }],
    ['token_not_bound', { ...good, cnf: undefined }],
    ['token_key_mismatch', { ...good, cnf: { jkt: 'x' } }],
    ['token_issuer_unknown', { ...good, iss: 'https://other.example' }],
    ['scope_insufficient', { ...good, scope: 'mcp' }],
    ['introspection_unavailable', undefined],
    ['introspection_unavailable', { active: 'yes' }],
  ])('answers %s to %j', async (reason, answer) => {
    said = () => answer;
    const got = await ask(`opaque-${JSON.stringify(answer)?.length ?? 0}-${reason}`);
    expect(await reasonOf(fixture)).toBe(reason);
    if (reason === 'introspection_unavailable')
      expect([got.status, got.headers['retry-after']]).toEqual([503, '1']);
  });
  it('still reads a JWT of another issuer itself', async () => {
    expect((await fixture.ask(dpopAsk(fixture, { claims: { scope: 'mcp:read' } }))).status).toBe(200);
    expect(asked).toEqual([]);
  });
});

describe('scopes and metadata (RFC 6750 3.1, RFC 9728)', () => {
  let fixture: GatewayFixture;
  const allow = [
    { method: 'initialize' },
    { method: 'notifications/*' },
    { method: 'tools/call', names: ['read'] },
    { method: 'tools/call', names: ['write'], requiredScopes: ['mcp:write'] },
  ];
  beforeAll(async () => {
    fixture = await start((config, backend) => {
      config.publicPathPrefix = '/ai';
      config.issuers[0]!.legacyTyp = true;
      config.routes = [
        {
          kind: 'mcp',
          name: 'mcp',
          pathPrefix: '/mcp',
          auth: { ...auth, requiredScopes: ['mcp:read'] },
          allowedOrigins: ['https://app.example'],
          allow,
          backend,
        },
      ];
    });
  });
  const RESOURCE = `${ORIGIN}/ai/mcp`;
  const call = (name: string, scope: string, headers: Record<string, string> = {}, method = 'tools/call') =>
    fixture.ask(
      dpopAsk(fixture, {
        htu: RESOURCE,
        claims: { aud: RESOURCE, scope },
        headers,
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { name } }),
      }),
    );

  it('asks for all scopes of the call in one challenge', async () => {
    const answer = await call('write', 'mcp:read');
    expect(answer.status).toBe(403);
    expect(challengesOf(answer)).toMatch(
      new RegExp(
        [
          /^DPoP error="insufficient_scope", .*scope="mcp:read /,
          /mcp:write".*resource_metadata="https:\/\/gw.example\/.well-known\/oauth-protected-resource\/ai\/mcp"/,
        ]
          .map((part) => part.source)
          .join(''),
      ),
    );
    expect((await call('write', 'mcp:write mcp:read')).status).toBe(200);
  });
  it('describes itself at both well-known places, to anybody, for GET, HEAD and OPTIONS', async () => {
    for (const path of [
      '/.well-known/oauth-protected-resource/ai/mcp',
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-protected-resource',
    ]) {
      const answer = await fixture.ask({ path });
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, '*']);
      expect(JSON.parse(answer.text)).toEqual({
        resource: RESOURCE,
        authorization_servers: ['https://as.example'],
        scopes_supported: ['mcp:read', 'mcp:write'],
        bearer_methods_supported: ['header'],
        dpop_signing_alg_values_supported: ['ES256', 'ES384', 'PS256', 'EdDSA', 'Ed25519', 'RS256'],
        dpop_bound_access_tokens_required: true,
      });
      expect([
        (await fixture.ask({ path, method: 'HEAD' })).status,
        (await fixture.ask({ path, method: 'OPTIONS' })).status,
        (await fixture.ask({ path, method: 'POST' })).status,
      ]).toEqual([200, 204, 405]);
    }
    expect((await fixture.ask({ path: '/.well-known/oauth-protected-resource/other' })).status).toBe(404);
  });
  it('lets a listed page ask and read, and no other', async () => {
    const preflight = (origin: string) =>
      fixture.ask({
        method: 'OPTIONS',
        path: '/mcp',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,dpop',
        },
      });
    const allowed = await preflight('https://app.example');
    expect([allowed.status, allowed.headers['access-control-allow-origin']]).toEqual([
      204,
      'https://app.example',
    ]);
    expect(allowed.headers['access-control-allow-headers']).toMatch(/DPoP/);
    expect((await preflight('https://evil.example')).status).toBe(405);
    const refused = await fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: { origin: 'https://app.example' },
    });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([
      401,
      'https://app.example',
    ]);
    expect(refused.headers['access-control-expose-headers']).toMatch(/WWW-Authenticate, DPoP-Nonce/);
    const passed = await call('read', 'mcp:read', { origin: 'https://app.example' });
    expect([passed.status, passed.headers['access-control-allow-origin'], passed.headers.vary]).toEqual([
      200,
      'https://app.example',
      'Origin',
    ]);
  });
  it('lets only listed calls pass, single or in a batch, and only where headers and body agree', async () => {
    fixture.seen.length = 0;
    expect((await call('rm', 'mcp:read')).status).toBe(403);
    expect(await reasonOf(fixture)).toBe('mcp_not_allowed');
    const batch = (methods: string[]) =>
      fixture.ask(
        dpopAsk(fixture, {
          htu: RESOURCE,
          claims: { aud: RESOURCE, scope: 'mcp:read' },
          body: JSON.stringify(methods.map((method) => ({ jsonrpc: '2.0', method }))),
        }),
      );
    expect((await batch(['initialize', 'tools/list'])).status).toBe(403);
    expect(
      (await call('read', 'mcp:read', { 'mcp-method': 'tools/call', 'mcp-name': '=?base64?d3JpdGU=?=' }))
        .status,
    ).toBe(400);
    expect((await call('read', 'mcp:read', { 'mcp-method': 'tools/list' })).status).toBe(400);
    expect(fixture.seen).toEqual([]);
    expect((await batch(['initialize', 'notifications/initialized'])).status).toBe(200);
    expect(
      (await call('read', 'mcp:read', { 'mcp-method': 'tools/call', 'mcp-name': '=?base64?cmVhZA==?=' }))
        .status,
    ).toBe(200);
    expect(fixture.seen.map((s) => s.body).join()).toContain('"name":"read"');
  });
  it('does not spend the proof of a call that is refused for its body', async () => {
    const token = accessToken(fixture.as, { aud: RESOURCE, scope: 'mcp:read', cnf: { jkt } });
    const headers = { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', RESOURCE, token) };
    expect((await fixture.ask({ method: 'POST', path: '/mcp', headers, body: 'x' })).status).toBe(400);
    expect(
      (
        await fixture.ask({
          method: 'POST',
          path: '/mcp',
          headers,
          body: '{"jsonrpc":"2.0","method":"initialize"}',
        })
      ).status,
    ).toBe(200);
  });
  it('takes a token without typ where the issuer is said to sign such, never another kind of JWT', async () => {
    const typed = (typ: string | undefined) =>
      fixture.ask(
        dpopAsk(fixture, {
          htu: RESOURCE,
          claims: { aud: RESOURCE, scope: 'mcp:read' },
          header: { typ },
          body: '{"jsonrpc":"2.0","method":"initialize"}',
        }),
      );
    expect([
      (await typed(undefined)).status,
      (await typed('JWT')).status,
      (await typed('dpop+jwt')).status,
      (await typed('logout+jwt')).status,
    ]).toEqual([200, 200, 401, 401]);
  });
});

describe('MCP revisions side by side', () => {
  let fixture: GatewayFixture;
  beforeAll(async () => {
    fixture = await start((config, backend) => {
      config.routes = [{ kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth, backend }];
    });
  });
  const of = (version: string | undefined, method: string, headers: Record<string, string> = {}) =>
    fixture
      .ask(
        dpopAsk(fixture, {
          method,
          headers: { ...(version === undefined ? {} : { 'mcp-protocol-version': version }), ...headers },
        }),
      )
      .then((answer) => answer.status);

  it.each([undefined, '2025-03-26', '2025-06-18', '2025-11-25'])(
    '%s has GET, POST and DELETE, and sessions',
    async (version) => {
      const session = await beginSession(fixture, dpopAsk(fixture), 's-1');
      for (const method of ['GET', 'POST', 'DELETE'])
        expect(await of(version, method, { 'mcp-session-id': session })).toBe(200);
      expect(fixture.seen.at(-1)!.headers['mcp-session-id']).toBe('s-1');
    },
  );
  it('2026-07-28 has POST only, with Mcp-Method, and Mcp-Name where the method has a name', async () => {
    expect([
      await of('2026-07-28', 'GET', { 'mcp-method': 'x' }),
      await of('2026-07-28', 'DELETE', { 'mcp-method': 'x' }),
    ]).toEqual([405, 405]);
    expect([
      await of('2026-07-28', 'POST'),
      await of('2026-07-28', 'POST', { 'mcp-method': 'tools/call' }),
    ]).toEqual([400, 400]);
    expect([
      await of('2026-07-28', 'POST', { 'mcp-method': 'tools/list' }),
      await of('2026-07-28', 'POST', { 'mcp-method': 'tools/call', 'mcp-name': 'echo' }),
    ]).toEqual([200, 200]);
  });
  it('any other revision is refused, after authentication', async () => {
    expect(await of('2024-11-05', 'POST')).toBe(400);
    expect(
      (await fixture.ask({ method: 'POST', path: '/mcp', headers: { 'mcp-protocol-version': '2024-11-05' } }))
        .status,
    ).toBe(401);
  });
});

describe('proxies in front (RFC 9449 4.3 item 9)', () => {
  const forwarded = (proto: string, host: string) => ({
    'x-forwarded-proto': proto,
    'x-forwarded-host': host,
  });
  it('X-Forwarded-* of a stranger changes nothing', async () => {
    const fixture = await start((config, backend) => {
      config.routes = [
        { kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth: { ...auth, audiences: ['a'] }, backend },
      ];
    });
    const headers = { ...forwarded('https', 'evil.example'), 'x-forwarded-for': '203.0.113.7' };
    expect(
      (
        await fixture.ask(
          dpopAsk(fixture, { claims: { aud: 'a' }, htu: 'https://evil.example/mcp', headers }),
        )
      ).status,
    ).toBe(401);
    expect((await fixture.ask(dpopAsk(fixture, { claims: { aud: 'a' }, headers }))).status).toBe(200);
    expect((await fixture.audit()).at(-1)).toMatchObject({ 'client.address': '127.0.0.1' });
  });
  it('of a trusted peer chooses origin and audience, where the config says so; its cut path is put back', async () => {
    const fixture = await start((config, backend) => {
      config.trustedPeers = ['127.0.0.1/32', '10.0.0.0/8'];
      config.originFrom = 'forwarded';
      config.publicOrigins = [ORIGIN, 'https://tenant.example'];
      config.publicPathPrefix = '/ai';
      config.routes = [{ kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth, backend }];
    });
    const tenant = 'https://tenant.example/ai/mcp';
    const from = {
      ...forwarded('https', 'Tenant.example:443'),
      'x-forwarded-for': '198.51.100.1, 203.0.113.7, 10.1.2.3',
    };
    expect(
      (await fixture.ask(dpopAsk(fixture, { htu: tenant, claims: { aud: tenant }, headers: from }))).status,
    ).toBe(200);
    expect((await fixture.audit()).at(-1)).toMatchObject({ 'client.address': '203.0.113.7' });
    expect(
      (
        await fixture.ask(
          dpopAsk(fixture, { htu: `${ORIGIN}/ai/mcp`, claims: { aud: tenant }, headers: from }),
        )
      ).status,
    ).toBe(401);
    for (const odd of [
      forwarded('https', 'a/b'),
      forwarded('https', 'a?b'),
      forwarded('ftp', 'a'),
      forwarded('https', 'u@a'),
    ]) {
      expect(
        (
          await fixture.ask(
            dpopAsk(fixture, { htu: `${ORIGIN}/ai/mcp`, claims: { aud: `${ORIGIN}/ai/mcp` }, headers: odd }),
          )
        ).status,
      ).toBe(421);
    }
    const unsaid = { htu: `${ORIGIN}/ai/mcp`, claims: { aud: `${ORIGIN}/ai/mcp` } };
    expect((await fixture.ask(dpopAsk(fixture, unsaid))).status).toBe(200);
  });
});
