/**
 * HTTP/2 over TLS (RFC 9113): the same decisions and answers as on HTTP/1.1, and a stream that fails takes no
 * other with it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { ClientHttp2Session } from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { createHash, X509Certificate } from 'node:crypto';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { held, settlesBelow } from './support/held.js';
import {
  answerOf,
  ask,
  begin,
  makeCertificate,
  session,
  type Answer,
  type Ask,
  type Identity,
} from './support/http2.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { until } from './support/until.js';
import { refusalIn } from './support/refusal.js';

const client = ec();
const jkt = thumbprint(client);
const MIB = 1 << 20;
const text = { 'Content-Type': 'text/event-stream' };

let dir: string;
let server: Identity;
let fixture: GatewayFixture;
let h2: ClientHttp2Session;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agw-http2-'));
  server = makeCertificate(dir, 'server');
  fixture = await startFixture({
    change: (config, { backendPort }) => {
      config.listen = { ...config.listen, tls: server };
      config.limits = { maxBodyBytes: 64 * MIB, bodyIdleTimeoutSeconds: 1 };
      config.upstream = { idleTimeoutSeconds: 5 };
      const backend = { url: `http://127.0.0.1:${backendPort}` };
      config.routes.push(
        {
          kind: 'mcp',
          name: 'mixed',
          pathPrefix: '/mixed',
          auth: { profile: 'mixed', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
          backend,
        },
        {
          kind: 'mcp',
          name: 'mtls',
          pathPrefix: '/mtls',
          auth: { profile: 'mtls', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
          backend,
        },
        {
          kind: 'mcp',
          name: 'ruled',
          pathPrefix: '/ruled',
          auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
          allow: [{ method: 'ping' }],
          backend,
        },
        {
          kind: 'mcp',
          name: 'waiting',
          pathPrefix: '/waiting',
          auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
          backend,
        },
      );
    },
  });
});
const usual: GatewayFixture['answer'] = (_, response) =>
  response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"ok":true}');
beforeEach(() => {
  fixture.answer = usual;
  fixture.seen.length = 0;
  h2 = session(fixture.gateway.port, server.certFile);
});
afterEach(() => h2.destroy());
afterAll(async () => {
  await fixture.stop();
  rmSync(dir, { recursive: true });
});

const token = () => accessToken(fixture.as, { cnf: { jkt } });
const signed = (method: string, path = '/mcp', at = token()) => ({
  authorization: `DPoP ${at}`,
  dpop: proof(client, method, ORIGIN + path, at),
});
const post = (more: Ask = {}): Ask => ({
  method: 'POST',
  path: '/mcp',
  ...more,
  headers: { ...signed('POST', more.path), ...more.headers },
});
const lastAudit = async () => (await fixture.audit()).at(-1)!;

/** The same request on HTTP/1.1, on a connection of its own. */
const overHttp1 = ({ method, path, headers, body }: Ask): Promise<Pick<Answer, 'status' | 'raw' | 'text'>> =>
  new Promise((resolve, reject) => {
    const out = https.request(
      {
        host: '127.0.0.1',
        port: fixture.gateway.port,
        method,
        path,
        headers: headers as http.OutgoingHttpHeaders,
        ca: readFileSync(server.certFile),
        agent: false,
      },
      (answer) => {
        let got = '';
        answer
          .on('data', (chunk: Buffer) => {
            got += chunk.toString();
          })
          .on('end', () => resolve({ status: answer.statusCode!, raw: answer.rawHeaders, text: got }));
      },
    );
    out.on('error', reject).end(body);
  });
/** What the client reads of an answer, but for what is of the connection or of this one request. */
const OF_ITS_OWN = ['connection', 'keep-alive', 'date', 'x-request-id', ':status'];
const fields = (raw: readonly string[]) =>
  raw
    .flatMap((name, i) =>
      i % 2 === 0 && !OF_ITS_OWN.includes(name.toLowerCase())
        ? [`${name.toLowerCase()}: ${raw[i + 1]!}`]
        : [],
    )
    .sort();

describe('ALPN (RFC 9113 3.2)', () => {
  const chosen = (offered: string[]) =>
    new Promise<string | false | null>((resolve, reject) => {
      const socket = tls
        .connect(
          {
            host: '127.0.0.1',
            port: fixture.gateway.port,
            ca: readFileSync(server.certFile),
            ...(offered.length === 0 ? {} : { ALPNProtocols: offered }),
          },
          () => {
            resolve(socket.alpnProtocol);
            socket.destroy();
          },
        )
        .on('error', reject);
    });
  it.each([
    [['h2'], 'h2'],
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1', 'h2'], 'h2'],
    [['http/1.1'], 'http/1.1'],
    [[], false],
  ] as const)('of %j chooses %j', async (offered, want) => {
    expect(await chosen([...offered])).toBe(want);
  });
  it('a client that speaks HTTP/1.1 alone is served as ever, and the audit log tells the two apart', async () => {
    expect(await overHttp1(post())).toMatchObject({ status: 200, text: '{"ok":true}' });
    expect(await lastAudit()).toMatchObject({ 'http.version': '1.1', 'response.status': 200 });
    expect(await ask(h2, post())).toMatchObject({ status: 200, text: '{"ok":true}', whole: true, code: 0 });
    expect(await lastAudit()).toMatchObject({
      'http.version': '2',
      'response.status': 200,
      complete: true,
      'client.address': '127.0.0.1',
    });
  });
  it('plain HTTP has no HTTP/2, by prior knowledge either', async () => {
    const plain = await startFixture();
    try {
      const answer = await plain.raw('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00');
      expect(answer).not.toMatch(/\0\0.\x04/s); // no SETTINGS
      expect(answer).toMatch(/^(HTTP\/1\.1 400 |$)/);
    } finally {
      await plain.stop();
    }
  });
});

describe('a request', () => {
  it('with a proof passes once, and no second time on the same session', async () => {
    const once = post({ body: '{}' });
    expect((await ask(h2, once)).status).toBe(200);
    const again = await ask(h2, once);
    expect([again.status, refusalIn(again.text), again.headers['www-authenticate']]).toEqual([
      401,
      'invalid_dpop_proof',
      expect.stringContaining('DPoP error="invalid_dpop_proof"'),
    ]);
    expect(fixture.seen).toHaveLength(1);
  });
  it('of a hundred streams with one proof passes once', async () => {
    const once = post();
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(h2, once)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(99).fill(401)]);
  });
  it('reaches the backend as the allow-list makes it: no credentials, cookies or pseudo-header fields', async () => {
    fixture.answer = (_, response) => response.writeHead(200, { 'Mcp-Session-Id': 's' }).end('{}');
    const begun = await ask(h2, post());
    fixture.seen.length = 0;
    const { status } = await ask(
      h2,
      post({
        path: '/mcp?x=1',
        body: '{"a":1}',
        headers: {
          ...signed('POST'),
          'content-type': 'application/json',
          'content-length': '7',
          'user-agent': 'agent\xe9',
          'mcp-session-id': begun.headers['mcp-session-id'],
          cookie: ['a=CANARY', 'b=CANARY'],
          'x-anything': '1',
          te: 'trailers',
          forwarded: 'for=1.2.3.4',
          'x-request-id': 'theirs',
        },
      }),
    );
    expect(status).toBe(200);
    expect(
      fixture.seen[0]!.rawHeaders.filter((_, i) => i % 2 === 0)
        .map((n) => n.toLowerCase())
        .sort(),
    ).toEqual([
      'connection',
      'content-length',
      'content-type',
      'host',
      'mcp-session-id',
      'user-agent',
      'x-request-id',
    ]);
    expect(fixture.seen[0]!.rawHeaders.join()).not.toMatch(/CANARY|DPoP|theirs/);
    expect(fixture.seen[0]).toMatchObject({ method: 'POST', url: '/mcp?x=1', body: '{"a":1}' });
    expect(fixture.seen[0]!.headers['user-agent']).toBe('agent\xe9');
    expect(fixture.seen[0]!.headers.host).toBe(`127.0.0.1:${fixture.backendPort}`);
  });
  it('whose body has no length goes on chunked, and whole', async () => {
    const body = 'x'.repeat(3 * MIB);
    expect((await ask(h2, post({ body }))).status).toBe(200);
    expect(fixture.seen[0]!.headers['transfer-encoding']).toBe('chunked');
    expect(fixture.seen[0]!.body).toBe(body);
  });
  it('whose header block ends the stream goes on without a body', async () => {
    expect((await ask(h2, { path: '/mcp', headers: signed('GET') })).status).toBe(200);
    expect([
      fixture.seen[0]!.headers['transfer-encoding'],
      fixture.seen[0]!.headers['content-length'],
      fixture.seen[0]!.body,
    ]).toEqual([undefined, undefined, '']);
    expect((await ask(h2, post())).status).toBe(200);
    expect(fixture.seen[1]!.body).toBe('');
  });
  it('has no trailers behind the gateway', async () => {
    const stream = h2.request(
      { ':method': 'POST', ':path': '/mcp', ...signed('POST') },
      { waitForTrailers: true, endStream: false },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': 'CANARY', authorization: 'CANARY' }));
    stream.end('{}');
    expect((await answerOf(stream)).status).toBe(200);
    expect(JSON.stringify(fixture.seen)).not.toContain('CANARY');
    expect(fixture.seen[0]!.body).toBe('{}');
  });
  it('is read for its rules like any other', async () => {
    const message = (method: string) =>
      post({
        path: '/ruled',
        body: `{"jsonrpc":"2.0","id":1,"method":"${method}"}`,
        headers: { 'content-type': 'application/json' },
      });
    expect((await ask(h2, message('ping'))).status).toBe(200);
    expect(fixture.seen[0]!.body).toContain('ping');
    expect(await ask(h2, message('tools/list'))).toMatchObject({
      status: 403,
      text: expect.stringContaining('mcp_not_allowed'),
    });
  });
  it('needs a Host that agrees with :authority (RFC 9113 8.3.1)', async () => {
    expect(
      (await ask(h2, post({ headers: { ':authority': 'gw.example', host: 'gw.example' } }))).status,
    ).toBe(200);
    // node's client leaves :authority out then
    expect((await ask(h2, post({ headers: { host: 'gw.example' } }))).status).toBe(200);
    expect(
      await ask(h2, post({ headers: { ':authority': 'gw.example', host: 'evil.example' } })),
    ).toMatchObject({ status: 400, text: expect.stringContaining('malformed_request') });
    expect(await ask(h2, post({ headers: { ':authority': 'gw example' } }))).toMatchObject({
      status: undefined,
      code: 1,
    }); // PROTOCOL_ERROR
    expect(fixture.seen).toHaveLength(2);
  });
});

describe('a refusal is that of HTTP/1.1:', () => {
  const bad = () => accessToken(fixture.as, { cnf: { jkt }, exp: 1 });
  const cases: Record<string, () => Ask> = {
    'no credentials': () => ({ path: '/mcp' }),
    'no credentials, with a body': () => ({
      method: 'POST',
      path: '/mcp',
      body: '{}',
      headers: { 'content-length': '2' },
    }),
    'no credentials where two schemes are taken': () => ({ path: '/mixed' }),
    'a bad token where two schemes are taken': () => ({
      path: '/mixed',
      headers: { authorization: 'Bearer x.y.z' },
    }),
    'an expired token': () => ({ path: '/mcp', headers: signed('GET', '/mcp', bad()) }),
    'no proof': () => ({ path: '/mcp', headers: { authorization: `DPoP ${token()}` } }),
    'two proofs': () => ({
      path: '/mcp',
      headers: { authorization: `DPoP ${token()}`, dpop: ['a.b.c', 'a.b.c'] },
    }),
    'a proof for another method': () => ({
      path: '/mcp',
      method: 'POST',
      headers: { ...signed('GET'), 'content-length': '0' },
    }),
    'another scheme': () => ({ path: '/mcp', headers: { authorization: `Bearer ${token()}` } }),
    'a token in the query': () => ({ path: '/mcp?access_token=x' }),
    'no such resource': () => ({ path: '/nowhere' }),
    'a path that is not canonical': () => ({ path: '/mcp//x' }),
    'a method that the route does not have': () => ({
      method: 'PUT',
      path: '/mcp',
      headers: { 'content-length': '0' },
    }),
    'HEAD without credentials': () => ({ method: 'HEAD', path: '/mcp' }),
    'another Origin': () => ({ path: '/mcp', headers: { origin: 'https://evil.example' } }),
    'a target that is too long': () => ({ path: `/mcp?${'a'.repeat(8_192)}` }),
    'too many fields': () => ({
      path: '/mcp',
      headers: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, '1'])),
    }),
    'a body that says it is too large': () => ({
      method: 'POST',
      path: '/mcp',
      headers: { ...signed('POST'), 'content-length': String(64 * MIB + 1) },
      body: 'x',
    }),
    'health, the wrong way': () => ({ method: 'DELETE', path: '/healthz' }),
  };
  it.each(Object.entries(cases))('%s', async (_, make) => {
    const what = make();
    const { 'content-length': announced } = what.headers ?? {};
    const { body, ...rest } = what;
    // A body that is shorter than was announced must not end, or node's client would see that, and not our answer.
    const stream = begin(h2, Number(announced) > MIB ? rest : what, body === undefined);
    const [two, one] = [await answerOf(stream), await overHttp1(what).catch((cause: Error) => cause)];
    if (one instanceof Error) throw one;
    expect(two.status).toBeGreaterThanOrEqual(400);
    expect([two.status, two.text]).toEqual([one.status, one.text]);
    expect(fields(two.raw)).toEqual(fields(one.raw));
    expect(fixture.seen).toEqual([]);
    // The session lives on.
    expect((await ask(h2, { path: '/healthz' })).status).toBe(200);
  });
  it('two challenges stand in two fields', async () => {
    const { raw } = await ask(h2, { path: '/mixed' });
    expect(
      raw.filter((_, i) => raw[i - 1] === 'www-authenticate').map((value) => value.split(' ')[0]),
    ).toEqual(['DPoP', 'Bearer']);
  });
  it('and what needs no credentials is answered the same', async () => {
    for (const what of [
      { path: '/.well-known/oauth-protected-resource/mcp' },
      { path: '/healthz' },
      { method: 'HEAD', path: '/healthz' },
    ]) {
      const [two, one] = [await ask(h2, what), await overHttp1(what)];
      expect([two.status, two.text, fields(two.raw)]).toEqual([one.status, one.text, fields(one.raw)]);
      expect(two.status).toBe(200);
    }
  });
});

describe('an answer', () => {
  it('comes piece by piece, as its backend sends it', async () => {
    let next = () => {};
    fixture.answer = (_, response) => {
      response.writeHead(200, text).flushHeaders();
      let i = 0;
      next = () => {
        if (i < 3) response.write(`data: ${i++}\n\n`);
        else response.end();
      };
    };
    const stream = begin(h2, { path: '/mcp', headers: signed('GET') });
    await new Promise((resolve) => stream.once('response', resolve)); // before any event
    const done = answerOf(stream);
    for (let i = 0; i < 3; i++) {
      const piece = new Promise<string>((resolve) =>
        stream.once('data', (chunk: Buffer) => resolve(chunk.toString())),
      );
      next();
      expect(await piece).toBe(`data: ${i}\n\n`);
    }
    next();
    expect(await done).toMatchObject({ whole: true, code: 0 });
    await until(() => fixture.seen.length === 1);
    expect(await lastAudit()).toMatchObject({ complete: true });
  });
  it('of fields that HTTP/2 does not have, or has once, is still one', async () => {
    fixture.answer = (message) => {
      message.socket.end(
        'HTTP/1.1 200 OK\r\nConnection: close\r\nETag: "a"\r\nETag: "b"\r\nVary: A\r\n' +
          'Vary: B\r\nKeep-Alive: timeout=5\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n__proto__: x\r\n' +
          'X-Mixed-Case: Y\r\nX-Latin: \xe9\r\nContent-Length: 2\r\n\r\n{}',
        'latin1',
      );
    };
    const answer = await ask(h2, post());
    expect(answer).toMatchObject({ status: 200, text: '{}', whole: true });
    expect(answer.headers).toMatchObject({
      vary: 'A, B',
      'x-mixed-case': 'Y',
      'x-latin': '\xe9',
      'content-length': '2',
    });
    expect(answer.raw).not.toContain('http2-settings');
    expect(answer.raw).not.toContain('keep-alive');
  });
  it.each([600, 999, 99])(
    'with status %d, which there is not, becomes 502 on both protocols',
    async (status) => {
      fixture.answer = (message) => {
        message.socket.end(
          `HTTP/1.1 ${String(status).padStart(3, '0')} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
        );
      };
      expect((await ask(h2, post())).status).toBe(502);
      expect((await overHttp1(post({ body: '{}' }))).status).toBe(502);
    },
  );
  it.each([
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
  ])('to %s with status %d has no body, and ends', async (method, status) => {
    const route = method === 'HEAD' ? '/healthz' : '/mcp';
    fixture.answer = (_, response) => response.writeHead(status, { 'X-A': '1' }).end();
    const answer = await ask(h2, { method, path: route, headers: signed(method) });
    expect(answer).toMatchObject({ status, text: '', whole: true, code: 0 });
    if (method === 'GET')
      expect(await lastAudit()).toMatchObject({ 'response.status': status, complete: true });
  });
  it('with a body where there must be none (RFC 9110 15.3.6) is still an answer', async () => {
    fixture.answer = (message) => {
      message.socket.end(
        'HTTP/1.1 205 Reset Content\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
      );
    };
    expect(await ask(h2, post())).toMatchObject({ status: 205, text: '', whole: true });
  });
  it.each([
    ['with a length', { 'Content-Length': '100' }],
    ['without one', {}],
    ['of an event stream', text],
  ])('%s that its backend cuts is reset, never ended', async (_, headers) => {
    fixture.answer = (message, response) => {
      response.writeHead(200, headers).write('data: half');
      if (message.url === '/mcp') setTimeout(() => response.destroy(), 50);
    };
    const other = begin(h2, { path: '/waiting', headers: signed('GET', '/waiting') });
    const cut = await ask(h2, { path: '/mcp', headers: signed('GET') });
    expect(cut).toMatchObject({ status: 200, whole: false, code: 2 }); // INTERNAL_ERROR
    expect(await lastAudit()).toMatchObject({ complete: false, ended: 'backend_cut' });
    other.on('error', () => {}).close();
    fixture.answer = usual;
    expect((await ask(h2, post())).status).toBe(200); // of the same session
  });
  it('that comes before the end of its request is whole; the rest of the request may still come', async () => {
    const hasty = net.createServer((socket) => {
      socket
        .on('error', () => {})
        .on('data', (chunk) => {
          got += chunk.toString('latin1');
          if (chunk.includes('POST /mcp'))
            socket.write('HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}');
        });
    });
    let got = '';
    await new Promise<void>((resolve) => hasty.listen(0, '127.0.0.1', resolve));
    const other = await startFixture({
      change: (config) => {
        config.listen = { ...config.listen, tls: server };
        config.limits = { bodyIdleTimeoutSeconds: 1 };
        (config.routes[0]!.backend as { url: string }).url =
          `http://127.0.0.1:${(hasty.address() as net.AddressInfo).port}`;
      },
    });
    const own = session(other.gateway.port, server.certFile);
    try {
      const send = () => {
        const at = accessToken(other.as, { cnf: { jkt } });
        const stream = begin(
          own,
          { method: 'POST', path: '/mcp', headers: signed('POST', '/mcp', at) },
          false,
        );
        stream.write('abc');
        return stream;
      };
      const kept = send();
      await new Promise((resolve) => kept.once('response', resolve));
      await sleep(100);
      const done = answerOf(kept);
      kept.end('def');
      expect(await done).toMatchObject({ text: '{}', whole: true, code: 0 });
      await until(() => got.endsWith('3\r\ndef\r\n0\r\n\r\n'));
      const silent = send();
      const began = performance.now();
      expect(await answerOf(silent)).toMatchObject({ text: '{}', code: 0 }); // NO_ERROR: RFC 9113 8.1
      expect(performance.now() - began).toBeLessThan(2_500);
      expect(own.destroyed).toBe(false);
    } finally {
      own.destroy();
      await other.stop();
      hasty.close();
    }
  });
});

describe('back-pressure', () => {
  const STREAMS = 8;
  it('holds at most 1 MiB of an answer that its client does not read', async () => {
    const block = Buffer.alloc(MIB, 'x');
    fixture.answer = (_, response) => {
      response.writeHead(200);
      const more = () => {
        while (response.write(block));
        response.once('drain', more);
      };
      more();
    };
    const before = held();
    const streams = Array.from({ length: STREAMS }, () =>
      begin(h2, { path: '/mcp', headers: signed('GET') }).on('error', () => {}),
    );
    await until(() => fixture.seen.length === STREAMS);
    await sleep(700);
    await settlesBelow(STREAMS * MIB, before);
    for (const stream of streams) stream.destroy();
  });
  it('an answer that is not read makes its backend stop, and other streams go on', async () => {
    const MEGABYTES = 64;
    let written = 0;
    fixture.answer = (message, response) => {
      if (message.url !== '/waiting') return usual(message, response, '');
      response.writeHead(200);
      const block = Buffer.alloc(MIB, 'x');
      const more = () => {
        while (written < MEGABYTES) {
          written += 1;
          if (!response.write(block)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    };
    const slow = begin(h2, { path: '/waiting', headers: signed('GET', '/waiting') });
    await new Promise((resolve) => slow.once('response', resolve));
    let stuckAt: number;
    do {
      stuckAt = written;
      await sleep(300);
    } while (written !== stuckAt);
    expect(stuckAt).toBeLessThan(MEGABYTES / 2);
    expect((await ask(h2, post())).status).toBe(200);
    await sleep(100);
    expect(written).toBe(stuckAt);
    let bytes = 0;
    slow.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await new Promise((resolve) => slow.once('end', resolve));
    expect(bytes).toBe(MEGABYTES * MIB);
  }, 60_000);
  it('a body that its backend does not read is not taken either', async () => {
    const unread: net.Socket[] = [];
    const backend = net.createServer({ pauseOnConnect: true }, (socket) => {
      unread.push(socket.on('error', () => {}));
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const other = await startFixture({
      change: (config) => {
        config.listen = { ...config.listen, tls: server };
        config.limits = { maxBodyBytes: 1 << 30 };
        (config.routes[0]!.backend as { url: string }).url =
          `http://127.0.0.1:${(backend.address() as net.AddressInfo).port}`;
      },
    });
    const own = session(other.gateway.port, server.certFile, undefined, { maxSessionMemory: 100 });
    try {
      const at = accessToken(other.as, { cnf: { jkt } });
      const stream = begin(
        own,
        { method: 'POST', path: '/mcp', headers: signed('POST', '/mcp', at) },
        false,
      ).on('error', () => {});
      const block = Buffer.alloc(MIB, 'x');
      let taken = 0;
      const start = held();
      for (let i = 0; i < 48; i++)
        stream.write(block, () => {
          taken += 1;
        });
      await sleep(700);
      expect(taken).toBeLessThan(40); // what the kernel holds is not ours
      await settlesBelow(MIB, start);
      const before = taken;
      expect((await ask(own, { path: '/healthz' })).status).toBe(200); // the connection's window is not used up
      expect(taken).toBe(before);
    } finally {
      own.destroy();
      await other.stop();
      for (const socket of unread) socket.destroy();
      backend.close();
    }
  }, 60_000);
});

describe('a client that leaves', () => {
  it.each([
    ['an answer that streams', 'GET'],
    ['an answer that does not begin', 'GET'],
    ['a HEAD', 'HEAD'],
  ])('one stream (%s) takes its backend request with it, and no other', async (kind, method) => {
    const left: string[] = [];
    fixture.answer = (message, response) => {
      response.on('close', () => left.push(message.url!));
      if (kind !== 'an answer that does not begin' && method !== 'HEAD')
        response.writeHead(200, text).write('data: 1\n\n');
    };
    const staying = begin(h2, { path: '/waiting', headers: signed('GET', '/waiting') }).on('error', () => {});
    const leaving = begin(h2, { method: 'GET', path: '/mcp', headers: signed('GET') }).on('error', () => {});
    await until(() => fixture.seen.length === 2);
    leaving.close(8); // CANCEL
    await until(() => left.length === 1, 500);
    expect(left).toEqual(['/mcp']);
    expect(await lastAudit()).toMatchObject({ ended: 'client_gone', 'request.path': '/mcp' });
    await sleep(100);
    expect(left).toEqual(['/mcp']);
    staying.close(8);
  });
  it.each([2, 0])(
    'in the middle of its body (RST_STREAM with code %d) never makes half a body a whole one',
    async (code) => {
      let ended = false;
      let cut = false;
      let begun = false;
      const backend = http.createServer((message) => {
        begun = true;
        message
          .on('end', () => {
            ended = true;
          })
          .on('close', () => {
            cut = !message.complete;
          })
          .resume();
      });
      await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
      const other = await startFixture({
        change: (config) => {
          config.listen = { ...config.listen, tls: server };
          for (const route of config.routes)
            (route.backend as { url: string }).url =
              `http://127.0.0.1:${(backend.address() as net.AddressInfo).port}`;
        },
      });
      const own = session(other.gateway.port, server.certFile);
      try {
        const at = accessToken(other.as, { cnf: { jkt } });
        const stream = begin(
          own,
          { method: 'POST', path: '/mcp', headers: signed('POST', '/mcp', at) },
          false,
        ).on('error', () => {});
        stream.write('half');
        await until(() => begun, 5_000);
        stream.destroy(code === 0 ? undefined : new Error('gone')); // close(code) would send END_STREAM first
        await until(() => cut, 5_000);
        expect(ended).toBe(false);
      } finally {
        own.destroy();
        await other.stop();
        backend.closeAllConnections();
        backend.close();
      }
    },
  );
  it('with its connection takes all of its streams with it', async () => {
    let left = 0;
    fixture.answer = (_, response) => {
      response.on('close', () => {
        left += 1;
      });
      response.writeHead(200, text).write('data: 1\n\n');
    };
    for (let i = 0; i < 5; i++) begin(h2, { path: '/mcp', headers: signed('GET') }).on('error', () => {});
    await until(() => fixture.seen.length === 5);
    h2.destroy();
    await until(() => left === 5, 500);
  });
});

describe('mtls (RFC 8705 3)', () => {
  it('takes the certificate of the session, and no other', async () => {
    const [own, thief] = [makeCertificate(dir, 'client'), makeCertificate(dir, 'thief')];
    const x5t = createHash('sha256')
      .update(new X509Certificate(readFileSync(own.certFile)).raw)
      .digest('base64url');
    const with_ = async (identity?: Identity) => {
      const one = session(fixture.gateway.port, server.certFile, identity);
      const answer = await ask(one, {
        method: 'POST',
        path: '/mtls',
        headers: { authorization: `Bearer ${accessToken(fixture.as, { cnf: { 'x5t#S256': x5t } })}` },
      });
      one.destroy();
      const isOf = (record: Record<string, unknown>) =>
        record['request.id'] === answer.headers['x-request-id'];
      await until(async () => (await fixture.audit()).some(isOf));
      return [answer.status, (await fixture.audit()).find(isOf)!['reason']];
    };
    expect(await with_(own)).toEqual([200, 'ok']);
    expect(await with_(thief)).toEqual([401, 'certificate_mismatch']);
    expect(await with_()).toEqual([401, 'certificate_missing']);
  });
});

describe('at the end of the gateway', () => {
  const start = (lameDuckSeconds = 0, drainSeconds = 3) =>
    startFixture({
      change: (config) => {
        config.listen = { ...config.listen, tls: server };
        Object.assign(config, { lameDuckSeconds, drainSeconds });
      },
    });
  it('new streams are served until the lame duck is over, then GOAWAY, and what is open may end', async () => {
    const other = await start(0.5);
    const own = session(other.gateway.port, server.certFile);
    const at = () => accessToken(other.as, { cnf: { jkt } });
    let finish = () => {};
    other.answer = (message, response) => {
      if (message.method !== 'POST') return void response.writeHead(200, text).write('data: one\n\n');
      response.writeHead(200, text).write('data: 1\n\n');
      finish = () => response.end('data: 2\n\n');
    };
    const listening = answerOf(begin(own, { path: '/mcp', headers: signed('GET', '/mcp', at()) }));
    const calling = begin(own, { method: 'POST', path: '/mcp', headers: signed('POST', '/mcp', at()) });
    const called = answerOf(calling);
    await until(() => other.seen.length === 2);
    let goaway: number | undefined;
    own.on('goaway', (code) => {
      goaway = code;
    });
    const began = performance.now();
    const stopped = other.gateway.stop();
    await sleep(100);
    expect((await ask(own, { path: '/healthz' })).status).toBe(200); // the lame duck
    expect(goaway).toBeUndefined();
    expect(await listening).toMatchObject({
      whole: true,
      text: expect.stringMatching(/shutdown\nretry: 1000\n$/),
    });
    await until(() => goaway !== undefined);
    expect([goaway, calling.closed]).toEqual([0, false]);
    finish();
    expect(await called).toMatchObject({ whole: true, text: 'data: 1\n\ndata: 2\n\n' });
    await stopped;
    expect(performance.now() - began).toBeLessThan(2_500);
    await other.stop();
  });
  it('neither an idle session nor one that never ends, answered or not, holds it longer than the drain', async () => {
    for (const open of [undefined, 'answered', 'waiting']) {
      const other = await start(0, 1);
      const own = session(other.gateway.port, server.certFile);
      other.answer = (_, response) => {
        if (open === 'answered') response.writeHead(200).write('half');
      };
      await ask(own, { path: '/healthz' });
      const hanging =
        open !== undefined
          ? answerOf(
              begin(own, {
                method: 'POST',
                path: '/mcp',
                headers: signed('POST', '/mcp', accessToken(other.as, { cnf: { jkt } })),
              }),
            )
          : undefined;
      if (open !== undefined) await until(() => other.seen.length === 1);
      const began = performance.now();
      await other.gateway.stop();
      const took = performance.now() - began;
      if (open !== undefined) expect(await hanging!).toMatchObject({ whole: false });
      else expect(took).toBeLessThan(900);
      expect(took).toBeLessThan(2_000);
      await other.stop();
    }
  });
});
