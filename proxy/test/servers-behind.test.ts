/** What servers of MCP do behind the gateway that a plain backend does not: redirects, names, challenges, silence. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfig, type ConfigInput } from '../src/config/index.js';
import { ORIGIN, startFixture, type Answer, type GatewayFixture } from './support/gateway.js';
import { ask as askOverHttp2, begin, makeCertificate, session } from './support/http2.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

type RouteInput = Extract<ConfigInput['routes'][number], { kind: 'mcp' }>;

const PREFIX = '/ai';
const client = ec();
let fixture: GatewayFixture;

const routeOf = (backendPort: number, name: string, more: Partial<RouteInput> = {}): RouteInput => ({
  kind: 'mcp',
  name,
  pathPrefix: `/${name}`,
  auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`], requiredScopes: [] },
  backend: { url: `http://127.0.0.1:${backendPort}` },
  ...more,
});

beforeAll(async () => {
  fixture = await startFixture({
    change: (config, { backendPort }) => {
      const at = (path: string) => `http://127.0.0.1:${backendPort}${path}`;
      config.publicPathPrefix = PREFIX;
      config.routes = [
        routeOf(backendPort, 'plain'),
        routeOf(backendPort, 'tools', { backend: { url: at('/redir') } }),
        routeOf(backendPort, 'slash', { backend: { url: at('/mcp/') } }),
        routeOf(backendPort, 'named', { backend: { url: at(''), host: 'localhost:5000' } }),
        routeOf(backendPort, 'behind', {
          backend: {
            url: at(''),
            redirectBases: ['https://mcp.tools.svc:5443/inner', 'https://mcp-1.tools.svc:5443/inner'],
          },
        }),
        routeOf(backendPort, 'token', { backend: { url: at(''), credential: { kind: 'verifiedToken' } } }),
        routeOf(backendPort, 'sealed', {
          backend: { url: at(''), credential: { kind: 'verifiedToken', relayChallenge: false } },
        }),
        routeOf(backendPort, 'hasty', { timeouts: { firstByteTimeoutSeconds: 1 } }),
        routeOf(backendPort, 'quiet', { heartbeatSeconds: 1 }),
        routeOf(backendPort, 'root', { pathPrefix: '/', auth: { profile: 'dpop', issuers: ['as'] } }),
      ];
    },
  });
}, 20_000);
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.seen.length = 0;
  fixture.answer = (_, response) => response.writeHead(200).end('{}');
});

const signed = (path: string, method = 'POST', aud = `${ORIGIN}/mcp`) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud });
  return { authorization: `DPoP ${token}`, dpop: proof(client, method, ORIGIN + PREFIX + path, token) };
};
const ask = (path: string, method = 'POST', headers: Record<string, string> = {}): Promise<Answer> =>
  fixture.ask({ method, path, headers: { ...signed(path, method), ...headers } });
const redirects = (location: string, status = 307) => {
  fixture.answer = (_, response) => response.writeHead(status, { Location: location }).end();
};

describe("a backend's own redirect", () => {
  const own = () => `http://127.0.0.1:${fixture.backendPort}`;
  it('comes back under the public path, whether it names the backend or not', async () => {
    redirects(`${own()}/plain/`);
    expect((await ask('/plain')).headers.location).toBe('/ai/plain/');
    redirects('/redir/');
    expect((await ask('/tools')).headers.location).toBe('/ai/tools/');
    redirects('next?x=1');
    expect((await ask('/tools/a/b')).headers.location).toBe('/ai/tools/a/next?x=1');
  });
  it('is followed to the backend by a client that signs what it is told', async () => {
    redirects(`${own()}/redir/`);
    const { headers } = await ask('/tools');
    fixture.answer = (_, response) => response.writeHead(200).end('{}');
    expect((await ask(headers.location!.slice(PREFIX.length))).status).toBe(200);
    expect(fixture.seen.map(({ url }) => url)).toEqual(['/redir', '/redir/']);
  });
  it('is known by the name and the path that a further proxy gives the backend', async () => {
    redirects('https://mcp.tools.svc:5443/inner/x');
    expect((await ask('/behind')).headers.location).toBe('/ai/behind/x');
    redirects('http://mcp.tools.svc/inner/');
    expect((await ask('/behind')).headers.location).toBe('/ai/behind/');
    redirects('https://mcp-1.tools.svc:5443/inner/y');
    expect((await ask('/behind')).headers.location).toBe('/ai/behind/y');
    for (const elsewhere of ['https://mcp.tools.svc:5443/other', 'https://mcp-2.tools.svc:5443/inner/y']) {
      redirects(elsewhere);
      expect((await ask('/behind')).headers.location).toBeUndefined();
    }
  });
  it('is known by the Host that it was asked with', async () => {
    redirects('http://localhost:5000/named/');
    expect((await ask('/named')).headers.location).toBe('/ai/named/');
  });
  it('is mapped in Content-Location too, and Refresh, which browsers follow, stays here', async () => {
    fixture.answer = (_, response) =>
      response
        .writeHead(201, { 'Content-Location': '/redir/1', Refresh: '0; url=http://elsewhere.example' })
        .end();
    const { headers } = await ask('/tools');
    expect(headers['content-location']).toBe('/ai/tools/1');
    expect(headers).not.toHaveProperty('refresh');
  });
  it.each(['http://elsewhere.example/', '//elsewhere.example', '/\\elsewhere.example', '/other'])(
    'to %s is no way out: the client sees no Location',
    async (location) => {
      redirects(location);
      const answer = await ask('/tools');
      expect([answer.status, answer.headers.location]).toEqual([307, undefined]);
    },
  );
  it('of two Locations shows neither that leads elsewhere', async () => {
    fixture.answer = (message) =>
      message.socket.end(
        'HTTP/1.1 307 T\r\nLocation: /redir/\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n',
      );
    expect((await ask('/tools')).headers.location).toBe('/ai/tools/');
  });
});

describe('the path of a backend', () => {
  it('that ends in a slash keeps it, and never has two', async () => {
    for (const path of ['/slash', '/slash/', '/slash/x', '/slash/x/']) await ask(path);
    expect(fixture.seen.map(({ url }) => url)).toEqual(['/mcp/', '/mcp/', '/mcp/x', '/mcp/x/']);
  });
  it('of a route at "/" takes what no other route has', async () => {
    const aud = ORIGIN + PREFIX;
    for (const path of ['/', '/else/where', '/plainer'])
      expect((await fixture.ask({ method: 'POST', path, headers: signed(path, 'POST', aud) })).status).toBe(
        200,
      );
    expect(fixture.seen.map(({ url }) => url)).toEqual(['/', '/else/where', '/plainer']);
    expect(
      (await fixture.ask({ method: 'POST', path: '/plain', headers: signed('/plain', 'POST', aud) })).status,
    ).toBe(401);
  });
  it('of a route at "/" has its metadata where RFC 9728 says, and its resource ends in no slash', async () => {
    const { text } = await fixture.ask({ path: `/.well-known/oauth-protected-resource${PREFIX}` });
    expect(JSON.parse(text).resource).toBe(ORIGIN + PREFIX);
    const refused = await fixture.ask({ method: 'POST', path: '/else' });
    expect(refused.headers['www-authenticate']).toContain(
      `resource_metadata="${ORIGIN}/.well-known/oauth-protected-resource${PREFIX}"`,
    );
  });
  it('"/" is none of a Secret\'s, and none of a prefix that an ingress cuts off', () => {
    const parsed = parseConfig({ ...({} as ConfigInput), publicPathPrefix: '/' });
    expect(parsed.ok ? [] : parsed.problems.filter((p) => p.startsWith('publicPathPrefix'))).toHaveLength(1);
  });
});

describe('the name that a backend is asked by', () => {
  it('is what its route says, else what its URL says', async () => {
    await ask('/named');
    await ask('/plain');
    expect(fixture.seen.map(({ headers }) => headers.host)).toEqual([
      'localhost:5000',
      `127.0.0.1:${fixture.backendPort}`,
    ]);
  });
});

describe("the challenge of a backend that got the client's token", () => {
  const CHALLENGE =
    'Bearer realm="inner", error="insufficient_scope", scope="mcp:write mcp:read", ' +
    'error_description="at 10.0.0.7", ' +
    'resource_metadata="http://10.0.0.7:5000/.well-known/oauth-protected-resource"';
  const refuses = (status: number, challenge?: string) => {
    fixture.answer = (_, response) =>
      response.writeHead(status, challenge === undefined ? {} : { 'WWW-Authenticate': challenge }).end('no');
  };
  it.each([401, 403])('of %d reaches the client in its scheme, with metadata of ours', async (status) => {
    refuses(status, CHALLENGE);
    const answer = await ask('/token');
    expect([answer.status, answer.text]).toEqual([status, 'no']);
    const said = answer.headers['www-authenticate']!;
    expect(said).toMatch(/^DPoP error="insufficient_scope", scope="mcp:write mcp:read", algs="/);
    expect(said).toContain(
      `resource_metadata="${ORIGIN}/.well-known/oauth-protected-resource${PREFIX}/token"`,
    );
    expect(said).not.toMatch(/10\.0\.0\.7|inner/);
  });
  it.each([
    ['a made-up error', 'Bearer error="use_dpop_nonce"'],
    ['quotes that end early', 'Bearer error="invalid_token\\", realm=\\"x"'],
    ['another scheme', 'Basic realm="x"'],
  ])('is nothing but what RFC 6750 has: %s', async (_, challenge) => {
    refuses(401, challenge);
    const said = (await ask('/token')).headers['www-authenticate']!;
    expect(said).toMatch(/^DPoP algs="[^"]+", resource_metadata="[^"]+"$/);
  });
  it('stays here where the backend names none, or where its route says that it is about another token', async () => {
    refuses(401);
    expect((await ask('/token')).status).toBe(502);
    refuses(401, CHALLENGE);
    expect((await ask('/sealed')).status).toBe(502);
    expect((await ask('/plain')).status).toBe(502);
    refuses(403, CHALLENGE);
    const answer = await ask('/plain');
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([403, undefined]);
  });
});

describe('a GET or DELETE whose body has no length', () => {
  const raw = (method: string, body: string, ms = 400) => {
    const headers = Object.entries(signed('/plain', method)).map(([k, v]) => `${k}: ${v}\r\n`);
    return fixture.raw(
      `${method} /plain HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n${headers.join('')}\r\n${body}`,
      ms,
    );
  };
  it.each(['GET', 'DELETE'])('passes when there is none: %s, and the backend sees none', async (method) => {
    expect(await raw(method, '0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    const { headers, body } = fixture.seen.at(-1)!;
    expect([headers['transfer-encoding'], headers['content-length'], body]).toEqual([
      undefined,
      undefined,
      '',
    ]);
  });
  it('is refused at its first byte, and its connection ends', async () => {
    expect(await raw('GET', '1\r\nx\r\n0\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [^]*connection: close/i);
    expect(fixture.seen).toEqual([]);
    expect((await fixture.audit()).at(-1)).toMatchObject({ reason: 'malformed_request' });
  });
  it('of a stranger is answered without waiting for it', async () => {
    const got = await fixture.raw(
      'GET /plain HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n',
      200,
    );
    expect(got).toMatch(/^HTTP\/1\.1 401 /);
  });
});

describe('patience with a backend', () => {
  it("is the route's where it says so", async () => {
    fixture.answer = (_, response) => void setTimeout(() => response.end('late'), 1_600);
    const [hasty, plain] = await Promise.all([ask('/hasty'), ask('/plain')]);
    expect([hasty.status, plain.status]).toEqual([504, 200]);
  });
});

describe('an event stream that is quiet', () => {
  const QUIET_MS = 2_600;
  const STREAMS: Record<string, { readonly events: string[]; readonly type?: string }> = {
    '/quiet/between': { events: ['', 'data: a\n\n', 'data: b\r\n\r\n'] },
    '/quiet/half-event': { events: ['data: a\n'] },
    '/quiet/half-line': { events: ['data: a\n\ndata: b'] },
    '/quiet/cr-lf': { events: ['data: a\r\n'] },
    '/quiet/plain-text': { events: ['a\n\n'], type: 'text/plain' },
    '/plain': { events: ['data: a\n\n'] },
  };
  const got: Record<string, string> = {};
  beforeAll(async () => {
    const send = async ({ url }: IncomingMessage, response: ServerResponse) => {
      const { events, type = 'text/event-stream' } = STREAMS[url!]!;
      response.writeHead(200, { 'Content-Type': type }).flushHeaders();
      for (const event of events) {
        if (event !== '') response.write(event);
        await sleep(QUIET_MS);
      }
      response.end();
    };
    fixture.answer = (message, response) => void send(message, response);
    await Promise.all(
      Object.keys(STREAMS).map(async (path) => {
        got[path] = (await ask(path, 'GET', { accept: 'text/event-stream' })).text;
      }),
    );
  }, 20_000);

  it('gets comments between its events, before the first one too', () => {
    expect(got['/quiet/between']!.replace(/(:\n)+/g, '*')).toBe('*data: a\n\n*data: b\r\n\r\n*');
  });
  it.each([
    ['an event has come half', '/quiet/half-event'],
    ['a line has come half', '/quiet/half-line'],
    ['a line has ended in CR LF', '/quiet/cr-lf'],
    ['it is no event stream', '/quiet/plain-text'],
    ['its route asks for none', '/plain'],
  ])('gets none where %s', (_, path) => {
    expect(got[path]).toBe(STREAMS[path]!.events.join(''));
  });
  it('tells what buffers answers not to, whatever the backend says of it', async () => {
    fixture.answer = (_, response) =>
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'yes' }).end();
    expect((await ask('/plain', 'GET')).headers['x-accel-buffering']).toBe('no');
    fixture.answer = (_, response) => response.writeHead(200).end();
    expect((await ask('/plain', 'GET')).headers).not.toHaveProperty('x-accel-buffering');
  });
});

describe('over HTTP/2', () => {
  it('redirects, quiet streams and an END_STREAM that comes late are what they are over HTTP/1.1', async () => {
    const secure = await startFixture({
      http2: true,
      change: (config, { backendPort }) => {
        config.publicPathPrefix = PREFIX;
        config.routes = [routeOf(backendPort, 'quiet', { heartbeatSeconds: 1 })];
      },
    });
    const get = (body?: string) => {
      const token = accessToken(secure.as, { cnf: { jkt: thumbprint(client) } });
      const dpop = proof(client, 'GET', `${ORIGIN}${PREFIX}/quiet`, token);
      return secure.ask({
        path: '/quiet',
        headers: { authorization: `DPoP ${token}`, dpop },
        ...(body === undefined ? {} : { body }),
      });
    };
    try {
      secure.answer = (_, response) => response.writeHead(307, { Location: '/quiet/' }).end();
      expect((await get()).headers.location).toBe('/ai/quiet/');
      secure.answer = (_, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
        setTimeout(() => response.end('data: a\n\n'), 2_600);
      };
      expect((await get()).text.replace(/(:\n)+/g, '*')).toBe('*data: a\n\n');
      // HEADERS without END_STREAM, which an empty DATA frame brings.
      secure.answer = (_, response) => response.end('{}');
      expect((await get('')).status).toBe(200);
      expect(secure.seen.at(-1)!.headers).not.toHaveProperty('transfer-encoding');
      const reached = secure.seen.length;
      expect([(await get('x')).status, secure.seen.length]).toEqual([400, reached]);
    } finally {
      await secure.stop();
    }
  }, 20_000);
});

describe('connections that wait for their next request', () => {
  it('are bounded: the one that waits longest goes', async () => {
    const bounded = await startFixture({
      change: (config) => {
        config.limits = { maxIdleConnections: 2, keepAliveTimeoutSeconds: 600 };
      },
    });
    const open = async () => {
      const socket = net.connect(bounded.gateway.port, '127.0.0.1').on('error', () => {});
      socket.write('GET /healthz HTTP/1.1\r\nHost: gw\r\n\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/keep-alive: timeout=600/i);
      return socket;
    };
    try {
      const first = await open();
      const second = await open();
      first.write('GET /healthz HTTP/1.1\r\nHost: gw\r\n\r\n');
      await once(first, 'data');
      const closed = once(second.resume(), 'close');
      const third = await open();
      await closed;
      expect([first.destroyed, third.destroyed]).toEqual([false, false]);
      for (const socket of [first, third]) socket.destroy();
    } finally {
      await bounded.stop();
    }
  });
  it('are bounded over HTTP/2, too, and one with an open stream waits for nothing', async () => {
    const bounded = await startFixture({
      http2: true,
      change: (config) => {
        config.limits = { maxIdleConnections: 1, keepAliveTimeoutSeconds: 600 };
      },
    });
    const certFile = join(bounded.dir, 'fixture.crt');
    const open = () => session(bounded.gateway.port, certFile);
    const health = { path: '/healthz' };
    const [first, busy, last] = [open(), open(), open()];
    try {
      bounded.answer = (_, response) => response.writeHead(200).flushHeaders();
      const token = accessToken(bounded.as, { cnf: { jkt: thumbprint(client) } });
      const headers = { authorization: `DPoP ${token}`, dpop: proof(client, 'GET', `${ORIGIN}/mcp`, token) };
      await once(
        begin(busy, { path: '/mcp', headers }).on('error', () => {}),
        'response',
      );
      await askOverHttp2(first, health);
      const closed = once(first, 'close');
      await askOverHttp2(last, health);
      await closed;
      expect([busy.destroyed, last.destroyed]).toEqual([false, false]);
    } finally {
      for (const one of [first, busy, last]) one.destroy();
      await bounded.stop();
    }
  });
});

describe('a server with a certificate', () => {
  /** TLS servers of one name; what SNI each connection brought. */
  const asked: (string | false)[] = [];
  let secure: GatewayFixture;
  let server: https.Server;
  beforeAll(async () => {
    server = https.createServer((message, response) => {
      asked.push((message.socket as TLSSocket & { servername: string | false }).servername);
      response.end(message.headers.host);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    secure = await startFixture({
      change: (config, { dir }) => {
        const { certFile: caFile, keyFile } = makeCertificate(dir, 'backend', 'DNS:mcp.internal');
        server.setSecureContext({ cert: readFileSync(caFile), key: readFileSync(keyFile) });
        const backend = { url: `https://127.0.0.1:${port}`, caFile };
        config.publicPathPrefix = PREFIX;
        config.routes = [
          routeOf(port, 'host', { backend: { ...backend, host: 'mcp.internal:8443' } }),
          routeOf(port, 'both', {
            backend: { ...backend, host: 'public.example', serverName: 'mcp.internal' },
          }),
          routeOf(port, 'wrong', { backend: { ...backend, host: 'public.example' } }),
        ];
      },
    });
  });
  afterAll(async () => {
    await secure.stop();
    server.close();
  });
  const askSecure = (name: string) => {
    const token = accessToken(secure.as, { cnf: { jkt: thumbprint(client) } });
    const dpop = proof(client, 'POST', `${ORIGIN}${PREFIX}/${name}`, token);
    return secure.ask({
      method: 'POST',
      path: `/${name}`,
      headers: { authorization: `DPoP ${token}`, dpop },
    });
  };
  it('is asked for by the name of its Host, unless its route says another', async () => {
    expect((await askSecure('host')).text).toBe('mcp.internal:8443');
    expect((await askSecure('both')).text).toBe('public.example');
    expect(asked).toEqual(['mcp.internal', 'mcp.internal']);
  });
  it('must be who its Host says', async () => {
    expect((await askSecure('wrong')).status).toBe(502);
    expect((await secure.audit()).at(-1)).toMatchObject({ reason: 'upstream_unreachable' });
    expect(asked).toHaveLength(2);
  });
  it.each(['MCP.internal', 'a b', 'a/b', 'user@a', 'a:0', 'a:99999', 'a\r\nb', ''])(
    'has no Host like %j',
    (host) => {
      const parsed = parseConfig({
        version: 1,
        publicOrigins: [ORIGIN],
        issuers: [{ name: 'as', issuer: 'x', jwks: { file: '/x' } }],
        replay: { store: 'memory' },
        routes: [routeOf(1, 'mcp', { backend: { url: 'https://10.0.0.7', host } })],
      });
      expect(parsed.ok ? [] : parsed.problems).toEqual([
        expect.stringMatching(/^routes\[0\]\.backend\.host: must be "name" or "name:port"/),
      ]);
    },
  );
});
