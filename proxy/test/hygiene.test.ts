/** What passes the gateway, in both directions, and what it writes down. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startFixture, ORIGIN, type GatewayFixture } from './support/gateway.js';
import { startKube, type Kube } from './support/kube.js';
import { accessToken, ec, proof, selfSignedToken, sha256, thumbprint } from './support/mint.js';
import { beginSession } from './support/session.js';
import { refusalIn } from './support/refusal.js';

let fixture: GatewayFixture;
let kube: Kube;
let kubeDir: string;
const client = ec();
const jkt = thumbprint(client);

beforeAll(async () => {
  const { mkdtempSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  kubeDir = mkdtempSync(join(tmpdir(), 'agw-hygiene-'));
  kube = await startKube(kubeDir);
  writeFileSync(join(kubeDir, 'credential'), 'CANARY-credential\n');
  fixture = await startFixture({
    change: (config, { backendPort }) => {
      const dpop = { profile: 'dpop' as const, issuers: ['as'], audiences: [`${ORIGIN}/mcp`] };
      config.routes.push(
        {
          kind: 'secrets',
          name: 'secrets',
          pathPrefix: '/secrets',
          auth: dpop,
          backend: {
            url: `https://127.0.0.1:${kube.port}`,
            caFile: kube.caFile,
            tokenFile: kube.tokenFile,
            namespace: 'aiops',
            secretNames: ['db'],
          },
        },
        {
          kind: 'secrets',
          name: 'keys',
          pathPrefix: '/keys',
          auth: dpop,
          backend: {
            url: `https://127.0.0.1:${kube.port}`,
            caFile: kube.caFile,
            tokenFile: kube.tokenFile,
            namespace: 'aiops',
            secretNames: ['db'],
            secretKeys: { db: ['password', 'absent'] },
          },
        },
        {
          kind: 'mcp',
          name: 'rewritten',
          pathPrefix: '/v2/mcp',
          auth: dpop,
          backend: {
            url: `http://127.0.0.1:${backendPort}/inner`,
            credential: { kind: 'file', file: join(kubeDir, 'credential') },
          },
        },
        {
          kind: 'mcp',
          name: 'inside',
          pathPrefix: '/inside',
          auth: dpop,
          backend: { url: `http://127.0.0.1:${backendPort}`, credential: { kind: 'verifiedToken' } },
        },
      );
    },
  });
});
afterAll(async () => {
  await fixture.stop();
  await kube.stop();
});
beforeEach(() => {
  fixture.seen.length = 0;
  kube.seen.length = 0;
});

const NASTY: Record<string, string> = {
  cookie: 'CANARY-cookie',
  forwarded: 'for=1.2.3.4',
  'x-forwarded-for': '1.2.3.4',
  'x-forwarded-host': 'evil',
  'x-forwarded-proto': 'https',
  'x-real-ip': '1.2.3.4',
  'x-original-authorization': 'Bearer x',
  'x-original-url': '/admin',
  'impersonate-user': 'system:admin',
  'impersonate-group': 'system:masters',
  'x-remote-user': 'root',
  'x-http-method-override': 'DELETE',
  'audit-id': 'theirs',
  'x-request-id': 'theirs',
  'proxy-authorization': 'Basic eDp5',
  te: 'trailers',
  'accept-encoding': 'gzip',
  'x-anything': '1',
};
const token = () => accessToken(fixture.as, { cnf: { jkt } });
const headers = (path: string, method: string, at = token(), extra: Record<string, string> = {}) => ({
  authorization: `DPoP ${at}`,
  dpop: proof(client, method, ORIGIN + path, at),
  ...extra,
});
const names = () =>
  fixture.seen[0]!.rawHeaders.filter((_, i) => i % 2 === 0)
    .map((n) => n.toLowerCase())
    .sort();

describe('towards a backend', () => {
  it('goes what the list allows, and nothing else of the client', async () => {
    const begin = { method: 'POST', path: '/mcp', headers: headers('/mcp', 'POST') };
    const allowed = {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-session-id': await beginSession(fixture, begin, 's'),
      'mcp-protocol-version': '2025-06-18',
      'mcp-param-x': '1',
      'user-agent': 'agent',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    };
    const { status } = await fixture.ask({
      method: 'POST',
      path: '/mcp?x=1',
      body: '{"a":1}',
      headers: { ...headers('/mcp', 'POST', undefined, { ...NASTY, ...allowed }), 'content-length': '7' },
    });
    expect(status).toBe(200);
    expect(names()).toEqual(
      [...Object.keys(allowed), 'connection', 'content-length', 'host', 'x-request-id'].sort(),
    );
    expect(fixture.seen[0]).toMatchObject({ method: 'POST', url: '/mcp?x=1', body: '{"a":1}' });
    expect(fixture.seen[0]!.headers['mcp-session-id']).toBe('s');
    expect(fixture.seen[0]!.headers['x-request-id']).not.toBe('theirs');
    expect(fixture.seen[0]!.headers.host).toBe(`127.0.0.1:${fixture.backendPort}`);
  });
  it('goes nothing of a request whose Connection lists a field that was checked', async () => {
    for (const connection of ['authorization', 'close, Mcp-Param-X']) {
      const { status } = await fixture.ask({
        method: 'POST',
        path: '/mcp',
        headers: headers('/mcp', 'POST', undefined, { connection, 'mcp-param-x': '1' }),
      });
      expect(status).toBe(400);
    }
    expect(fixture.seen).toEqual([]);
  });
  it("goes the gateway's own field also where Connection lists its name", async () => {
    const { status } = await fixture.ask({
      method: 'POST',
      path: '/v2/mcp',
      headers: headers('/v2/mcp', 'POST', undefined, { connection: 'x-request-id' }),
    });
    expect(status).toBe(200);
    expect(fixture.seen[0]!.headers.authorization).toBe('Bearer CANARY-credential');
    expect(fixture.seen[0]!.url).toBe('/inner');
  });
  it('goes nothing of the list either, where Connection lists it', async () => {
    const { status } = await fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: headers('/mcp', 'POST', undefined, {
        connection: 'close ,traceparent',
        'mcp-param-y': '2',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      }),
    });
    expect(status).toBe(200);
    expect(names()).toEqual(['connection', 'content-length', 'host', 'mcp-param-y', 'x-request-id']);
  });
  it('goes no name with an underscore, which a backend may read as another', async () => {
    await fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: headers('/mcp', 'POST', undefined, {
        'mcp-session_id': 'stolen',
        Mcp_Name: 'x',
        content_type: 'text/plain',
      }),
    });
    expect(names()).toEqual(['connection', 'content-length', 'host', 'x-request-id']);
  });
  it.each(['GET', 'DELETE'])('goes no %s that has a body', async (method) => {
    const { status } = await fixture.ask({
      method,
      path: '/mcp',
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
      headers: { ...headers('/mcp', method), 'content-length': '46' },
    });
    expect([status, fixture.seen]).toEqual([400, []]);
    expect(
      (
        await fixture.ask({
          method,
          path: '/mcp',
          headers: { ...headers('/mcp', method), 'content-length': '0' },
        })
      ).status,
    ).toBe(200);
  });
  it.each(['/mcp?a=1&access%5Ftoken=x', '/mcp?%61ccess_token=x', '/mcp/%C3%28'])(
    'goes nothing for %s',
    async (path) => {
      expect([
        (await fixture.ask({ method: 'POST', path, headers: headers('/mcp', 'POST') })).status,
        fixture.seen,
      ]).toEqual([400, []]);
    },
  );
  it('goes the credential of the gateway as the file has it now', async () => {
    writeFileSync(join(kubeDir, 'credential'), 'CANARY-rotated');
    await new Promise((resolve) => setTimeout(resolve, 1300));
    await fixture.ask({ method: 'POST', path: '/v2/mcp/a/b?q=1', headers: headers('/v2/mcp/a/b', 'POST') });
    expect(fixture.seen[0]!.headers.authorization).toBe('Bearer CANARY-rotated');
    expect(fixture.seen[0]!.url).toBe('/inner/a/b?q=1');
  });
  it('goes the verified token to agentgateway on loopback, as its jwtAuth expects it', async () => {
    const at = token();
    await fixture.ask({ method: 'POST', path: '/inside', headers: headers('/inside', 'POST', at) });
    expect(fixture.seen[0]!.headers.authorization).toBe(`Bearer ${at}`);
    expect(fixture.seen[0]!.headers.dpop).toBeUndefined();
  });
});

describe('towards the Kubernetes API', () => {
  it('goes a request that the gateway made, whatever the client sent', async () => {
    const {
      status,
      text,
      headers: got,
    } = await fixture.ask({
      path: '/secrets/db?watch=true&fieldSelector=x',
      headers: headers('/secrets/db', 'GET', undefined, NASTY),
    });
    expect([status, JSON.parse(text).kind]).toEqual([200, 'Secret']);
    expect(kube.seen).toHaveLength(1);
    expect(kube.seen[0]).toMatchObject({ method: 'GET', url: '/api/v1/namespaces/aiops/secrets/db' });
    expect(Object.keys(kube.seen[0]!.headers).sort()).toEqual([
      'accept',
      'audit-id',
      'authorization',
      'connection',
      'host',
    ]);
    expect((kube.seen[0]!.headers as Record<string, string>)['audit-id']).toBe(
      (await fixture.audit()).at(-1)!['request.id'],
    );
    expect(got['cache-control']).toBe('no-store');
    expect(got['x-kubernetes-pf-flowschema-uid']).toBeUndefined();
  });
  it.each([
    '/secrets',
    '/secrets/',
    '/secrets/db/',
    '/secrets/db/x',
    '/secrets/DB',
    '/secrets/%64b%20',
    '/secrets/..%2fdb',
    '/secrets/db;x',
    '/secretsdb',
    '/secrets//db',
    '/secrets/../secrets/db',
  ])('goes nothing for %s', async (path) => {
    const { status } = await fixture.ask({ path, headers: headers(path, 'GET') });
    expect([400, 404]).toContain(status);
    expect(kube.seen).toEqual([]);
  });
  it.each(['POST', 'DELETE', 'PUT', 'PATCH'])('goes no %s', async (method) => {
    const { status, headers: got } = await fixture.ask({
      method,
      path: '/secrets/db',
      headers: headers('/secrets/db', method),
    });
    expect([status, got.allow]).toEqual([405, 'GET, HEAD']);
    expect(kube.seen).toEqual([]);
  });
  it('goes the same for one key, of which the decoded value comes back and nothing else', async () => {
    const path = '/keys/db/password';
    const { status, text, headers: got } = await fixture.ask({ path, headers: headers(path, 'GET') });
    expect([status, text, got['content-type'], got['cache-control'], got['content-length']]).toEqual([
      200,
      'hunter2',
      'application/octet-stream',
      'no-store',
      '7',
    ]);
    expect(kube.seen).toEqual([
      expect.objectContaining({ method: 'GET', url: '/api/v1/namespaces/aiops/secrets/db' }),
    ]);
    const head = await fixture.ask({ method: 'HEAD', path, headers: headers(path, 'HEAD') });
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '7']);
    const absent = await fixture.ask({ path: '/keys/db/absent', headers: headers('/keys/db/absent', 'GET') });
    expect([absent.status, refusalIn(absent.text)]).toEqual([404, 'secret_absent']);
  });
  it.each([
    '/keys/db',
    '/keys/db/',
    '/keys/db/other',
    '/keys/db/password/x',
    '/keys/db/constructor',
    '/keys/other/password',
  ])('goes nothing for %s where keys are listed', async (path) => {
    const { status } = await fixture.ask({ path, headers: headers(path, 'GET') });
    expect([400, 404]).toContain(status);
    expect(kube.seen).toEqual([]);
  });
  it('what the API says of a refusal stays here', async () => {
    kube.status = 403;
    try {
      const { status, text } = await fixture.ask({
        path: '/secrets/db',
        headers: headers('/secrets/db', 'GET'),
      });
      expect([status, refusalIn(text)]).toEqual([502, 'upstream_refused']);
      expect(text).not.toContain('forbidden');
    } finally {
      kube.status = undefined;
    }
  });
  it('a rotated token is picked up at the first 401, within the same request', async () => {
    kube.token = 'sa-token-2';
    writeFileSync(kube.tokenFile, 'sa-token-2');
    const { status } = await fixture.ask({ path: '/secrets/db', headers: headers('/secrets/db', 'GET') });
    expect(status).toBe(200);
    expect(kube.seen.length).toBeLessThanOrEqual(2);
  });
  it('a token that was rotated while its request was under way is tried again too', async () => {
    kube.token = 'sa-token-3';
    kube.beforeAnswer = async () => {
      kube.beforeAnswer = undefined;
      writeFileSync(kube.tokenFile, 'sa-token-3');
      // the gateway has read it by itself before the 401 comes
      await new Promise((resolve) => setTimeout(resolve, 1300));
    };
    expect((await fixture.ask({ path: '/secrets/db', headers: headers('/secrets/db', 'GET') })).status).toBe(
      200,
    );
    expect(kube.seen.map(({ headers: sent }) => (sent as Record<string, string>).authorization)).toEqual([
      'Bearer sa-token-2',
      'Bearer sa-token-3',
    ]);
  });
  it('goes nothing over TLS that the CA does not vouch for', async () => {
    const other = await startFixture({
      change: (config) => {
        config.routes = [
          {
            kind: 'secrets',
            name: 'secrets',
            pathPrefix: '/secrets',
            auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
            backend: {
              url: `https://localhost:${kube.port}`,
              caFile: kube.caFile,
              tokenFile: kube.tokenFile,
              namespace: 'aiops',
              secretNames: ['db'],
            },
          },
        ];
      },
    });
    try {
      const at = accessToken(other.as, { cnf: { jkt } });
      const { status } = await other.ask({ path: '/secrets/db', headers: headers('/secrets/db', 'GET', at) });
      expect(status).toBe(502); // the certificate is for 127.0.0.1, not localhost
      expect(kube.seen).toEqual([]);
    } finally {
      await other.stop();
    }
  });
});

describe('towards the client', () => {
  it('goes the answer without what is of the connection, of the backend, or a challenge', async () => {
    const usual = fixture.answer;
    fixture.answer = (_, response) =>
      response
        .writeHead(200, {
          'Content-Type': 'application/json',
          'Mcp-Session-Id': 's',
          'Set-Cookie': 'a=b',
          Server: 'x',
          'X-Powered-By': 'y',
          'WWW-Authenticate': 'Basic',
          'X-Listed': '1',
          Connection: 'keep-alive, x-listed, x-request-id, cache-control',
        })
        .end('{}');
    try {
      const { headers: got } = await fixture.ask({
        method: 'POST',
        path: '/mcp',
        headers: headers('/mcp', 'POST'),
      });
      expect(got['mcp-session-id']).toMatch(/^[\w-]{22}\.s$/);
      expect(got).toHaveProperty('x-request-id'); // what a backend's Connection names is what it sent itself
      for (const name of ['set-cookie', 'server', 'x-powered-by', 'www-authenticate', 'x-listed'])
        expect(got).not.toHaveProperty(name);
    } finally {
      fixture.answer = usual;
    }
  });
  it.each([
    ['/mcp/next', '/mcp/next'],
    ['http://10.0.0.7:5000/next', undefined],
    ['//10.0.0.7/next', undefined],
    ['next', undefined],
  ])('goes the Location %s as %s', async (location, got) => {
    const usual = fixture.answer;
    fixture.answer = (_, response) => response.writeHead(307, { Location: location }).end();
    try {
      expect(
        (await fixture.ask({ method: 'POST', path: '/mcp', headers: headers('/mcp', 'POST') })).headers
          .location,
      ).toBe(got);
    } finally {
      fixture.answer = usual;
    }
  });
});

describe('every answer', () => {
  it('has the request id of its audit line', async () => {
    for (const path of ['/mcp', '/secrets/db', '/keys/db/password', '/nowhere']) {
      const method = path === '/mcp' ? 'POST' : 'GET';
      const { headers: got } = await fixture.ask({ method, path, headers: headers(path, method) });
      expect(got['x-request-id']).toBe((await fixture.audit()).at(-1)!['request.id']);
    }
  });
});

describe('what is written down', () => {
  it('has no query of an htu in it, of a proof that passes or one that does not', async () => {
    const at = token();
    for (const htu of [
      `${ORIGIN}/mcp?secret=CANARY-htu#CANARY-fragment`,
      `${ORIGIN}/other?secret=CANARY-htu`,
    ])
      await fixture.ask({
        method: 'POST',
        path: '/mcp',
        headers: { authorization: `DPoP ${at}`, dpop: proof(client, 'POST', htu, at) },
      });
    await fixture.ask({
      method: 'POST',
      path: '/self',
      headers: {
        authorization: `Bearer ${selfSignedToken(fixture.self, 'POST', `${ORIGIN}/other?CANARY-htu`)}`,
      },
    });
    const lines = (await fixture.audit()).slice(-3);
    expect(lines.map((line) => [line['response.status'], line['dpop.htu']])).toEqual([
      [200, `${ORIGIN}/mcp`],
      [401, `${ORIGIN}/other`],
      [401, `${ORIGIN}/other`],
    ]);
    expect(JSON.stringify(lines)).not.toContain('CANARY');
  });
  it('has no character in it that moves a terminal or turns a line around', async () => {
    const at = token();
    const jti = 'a\u009b31m\u2028b\u202ec\u2066d\u007f';
    await fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: {
        authorization: `DPoP ${at}`,
        dpop: proof(client, 'POST', `${ORIGIN}/mcp`, at, { claims: { jti } }),
      },
    });
    await fixture.audit();
    const line = readFileSync(join(fixture.dir, 'audit.jsonl'), 'utf8').trimEnd().split('\n').at(-1)!;
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(line)).toMatchObject({ 'dpop.jti': jti });
  });
  it('has no token, proof, signature, cookie, credential or secret in it', async () => {
    const at = token();
    const self = selfSignedToken(fixture.self, 'POST', `${ORIGIN}/self`);
    const sent = headers('/mcp', 'POST', at, NASTY);
    await fixture.ask({ method: 'POST', path: '/mcp?secret=CANARY-query', headers: sent });
    await fixture.ask({ method: 'POST', path: '/mcp?secret=CANARY-query', headers: sent });
    await fixture.ask({ method: 'POST', path: '/self', headers: { authorization: `Bearer ${self}` } });
    await fixture.ask({ path: '/secrets/db', headers: headers('/secrets/db', 'GET') });
    await fixture.audit();
    const written = [
      readFileSync(join(fixture.dir, 'audit.jsonl'), 'utf8'),
      fixture.warnings.join('\n'),
      (await fixture.admin('/metrics')).text,
    ].join('\n');
    for (const secret of [at, self, sent.dpop])
      for (const part of secret.split('.')) expect(written).not.toContain(part);
    expect(written).not.toContain(sha256(at));
    expect(written).not.toMatch(/CANARY|sa-token|hunter2|aHVudGVyMg/);
  });
  it('has nothing of an Authorization whose scheme is none that it knows: a token may stand there alone', async () => {
    const at = token();
    const odd = [at, `${at} x`, 'CANARY', 'CANARY CANARY', 'CANARY a.b.c', 'canary-x a b', `CANARY ${at}`];
    const before = (await fixture.audit()).length;
    for (const authorization of odd)
      await fixture.ask({
        method: 'POST',
        path: '/mcp',
        headers: { ...headers('/mcp', 'POST', at), authorization },
      });
    const lines = JSON.stringify((await fixture.audit()).slice(before));
    expect(lines).not.toMatch(/canary/i);
    for (const part of at.split('.')) expect(lines).not.toContain(part);
    expect(lines.match(/got another scheme/g)).toHaveLength(odd.length);
  });
  it('is one JSON line a request, whatever the claims and the path hold', async () => {
    const before = (await fixture.audit()).length;
    const at = accessToken(fixture.as, { cnf: { jkt }, sub: 'a"}\n{"reason":"ok","forged":true}' });
    await fixture.ask({ method: 'POST', path: '/mcp', headers: headers('/mcp', 'POST', at) });
    const after = await fixture.audit();
    expect(after.length - before).toBe(1);
    expect(after.at(-1)).toMatchObject({
      'jwt.sub': 'a"}\n{"reason":"ok","forged":true}',
      'route.name': 'mcp',
      'response.status': 200,
      'dpop.htm': 'POST',
      'dpop.htu': `${ORIGIN}/mcp`,
      'dpop.jkt': jkt,
      'jwt.iss': 'https://as.example',
      'jwt.aud': `${ORIGIN}/mcp`,
    });
    expect(after.at(-1)).not.toHaveProperty('forged');
  });
});
