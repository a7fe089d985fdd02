/**
 * Attack: a client sends a request that will be refused with `Connection: close`, and in the same breath a complete and
 * valid POST. The refusal ends the connection, yet the POST used to reach the backend: its proof was spent and its tool
 * ran, nobody got the answer, and its audit line came minutes later or said `499 ok`. Streams begun that way had no
 * client at all and used up the backend's sockets.
 *
 * RFC 9112 9.6: after the last answer nothing of the connection is handled. What came before it is.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { makeCertificate } from '../support/http2.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { until } from '../support/until.js';
import { wire } from '../support/wire.js';

const client = ec();
let dir: string;
const fixtures: GatewayFixture[] = [];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agw-attack-'));
  const identity = makeCertificate(dir, 'server');
  const generous = { refusalsPerAddress: { maxTokens: 10_000, tokensPerSecond: 10_000 } };
  fixtures.push(
    await startFixture({
      change: (config) => {
        config.limits = generous;
      },
    }),
    await startFixture({
      change: (config) => {
        config.limits = generous;
        config.listen = { ...config.listen, tls: identity };
      },
    }),
  );
});
afterAll(async () => {
  await Promise.all(fixtures.map((fixture) => fixture.stop()));
  rmSync(dir, { recursive: true });
});

describe.each([
  ['TCP', 0],
  ['TLS', 1],
])('over %s', (_, index) => {
  let fixture: GatewayFixture;
  const secure = index === 1;
  beforeEach(() => {
    fixture = fixtures[index]!;
    fixture.seen.length = 0;
    fixture.answer = (__, response) => response.end('{"ok":true}');
  });
  const credentials = (method: string) => {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
    return `Authorization: DPoP ${token}\r\nDPoP: ${proof(client, method, `${ORIGIN}/mcp`, token)}\r\n`;
  };
  const valid = (method = 'POST', more = '') =>
    `${method} /mcp HTTP/1.1\r\nHost: a\r\n${credentials(method)}` +
    `${method === 'POST' ? 'Content-Length: 2\r\n' : ''}${more}\r\n${method === 'POST' ? '{}' : ''}`;
  const send = (text: string) => wire(fixture.gateway.port, text, secure);
  const reasonsSince = async (before: number) =>
    (await fixture.audit()).slice(before).map(({ reason }) => reason);

  it.each([
    ['404 no_route', 'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n', 404],
    ['401', 'GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n', 401],
    ['403 Origin', 'GET /mcp HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n', 403],
    ['405', 'PUT /mcp HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    ['a bad path', 'GET /mcp/../x HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['two Host', 'GET /mcp HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
    ['no Host', 'GET /mcp HTTP/1.1\r\n\r\n', 400],
    ['too many fields', `GET /mcp HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(101)}\r\n`, 431],
    [
      'two codings',
      'POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['an upgrade', 'GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n', 400],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['an unknown Expect', 'GET /mcp HTTP/1.1\r\nHost: a\r\nExpect: a-tea\r\n\r\n', 417],
    ['bytes that are no request', 'GET /mcp HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n', 400],
    ['HTTP/1.0 without keep-alive', 'GET /mcp HTTP/1.0\r\nHost: a\r\n\r\n', 401],
  ])('a POST behind %s is not handled', async (__, first, status) => {
    const before = (await fixture.audit()).length;
    const connections = Array.from({ length: 5 }, () => send(first + valid()));
    for (const { socket, ended, closed } of connections) {
      await until(ended);
      socket.end();
      await until(closed);
    }
    await sleep(50);
    expect(fixture.seen).toEqual([]);
    for (const { statuses, got, error } of connections) {
      expect([statuses(), error()]).toEqual([[status], undefined]);
      expect(got()).toMatch(/^Connection: close\r$/im);
      expect(got()).toMatch(/^Cache-Control: no-store\r$/im);
      expect(got()).toMatch(/^Content-Type: application\/json\r$/im);
      expect(JSON.parse(got().split('\r\n\r\n')[1]!)).toHaveProperty('error');
    }
    const lines = (await fixture.audit()).slice(before);
    expect(lines.map((line) => line['response.status'])).toEqual(connections.map(() => status));
  });
  // It has come as a whole by the time it is checked, so that nothing unread of it ends the connection.
  it.each([
    ['two codings', 'POST /mcp', 'Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'],
    ['chunked named twice', 'POST /mcp', 'Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n'],
    [
      'two Transfer-Encoding',
      'POST /mcp',
      'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n',
      '0\r\n\r\n',
    ],
    ['two Host', 'GET /mcp', 'Host: b\r\n', ''],
    ['a checked field in Connection', 'GET /mcp', 'Connection: DPoP, keep-alive\r\n', ''],
    ['too many fields', 'GET /mcp', 'a: b\r\n'.repeat(101), ''],
    ['a bad path', 'GET /mcp/../x', '', ''],
    ['an upgrade', 'GET /mcp', 'Connection: upgrade\r\nUpgrade: h2c\r\n', ''],
  ])('a POST behind %s that waited itself is not handled', async (__, line, fields, body) => {
    fixture.answer = (___, response) => {
      setTimeout(() => response.end('{"ok":true}'), 50);
    };
    const malformed = `${line} HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
    const one = send(`${valid()}${malformed}${valid()}`);
    await until(() => one.statuses().length >= 2);
    await sleep(100);
    expect([one.statuses()[0], one.statuses().length, fixture.seen.length]).toEqual([200, 2, 1]);
    await until(one.ended);
    one.socket.destroy();
  });
  it('a stream behind a refusal holds nothing at the backend', async () => {
    let open = 0;
    fixture.answer = (__, response) => {
      open += 1;
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
    };
    const connections = Array.from({ length: 8 }, () =>
      send(`GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n${valid('GET')}${valid('GET')}`),
    );
    for (const { socket, ended } of connections) {
      await until(ended);
      socket.destroy();
    }
    await sleep(100);
    expect(open).toBe(0);
  });
  it.each([
    ['one byte', 'x'],
    ['a whole request', 'valid'],
    ['a kilobyte of line feeds', '\n'.repeat(1024)],
  ])('a request that announces the end is answered, whatever follows it: %s', async (__, more) => {
    const before = (await fixture.audit()).length;
    fixture.answer = (___, response) => {
      setTimeout(() => response.end('{"ok":true}'), 50);
    };
    const one = send(valid('POST', 'Connection: close\r\n') + (more === 'valid' ? valid() : more));
    await until(one.ended);
    expect([one.statuses(), one.got().includes('{"ok":true}')]).toEqual([[200], true]);
    one.socket.end();
    await until(one.closed);
    expect([fixture.seen.length, await reasonsSince(before)]).toEqual([1, ['ok']]);
  });
  it('bytes that are no request wait until the one before them is answered', async () => {
    const before = (await fixture.audit()).length;
    fixture.answer = (__, response) => {
      setTimeout(() => response.end('{"ok":true}'), 50);
    };
    const one = send(`${valid()}${valid()}no request\r\n\r\n${valid()}`);
    await until(one.ended);
    expect(one.statuses()).toEqual([200, 200, 400]);
    expect([fixture.seen.length, await reasonsSince(before)]).toEqual([2, ['ok', 'ok', 'malformed_request']]);
  });
  it('CONNECT waits, too', async () => {
    const before = (await fixture.audit()).length;
    fixture.answer = (__, response) => {
      setTimeout(() => response.end('x'.repeat(300_000)), 50);
    };
    const one = send(`${valid()}CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n${valid()}`);
    await until(one.ended);
    expect([one.statuses(), one.got().length > 300_000]).toEqual([[200, 400], true]);
    expect(await reasonsSince(before)).toEqual(['ok', 'malformed_request']);
  });
  it('a backend that closes with its answer does not end the connection of the client', async () => {
    fixture.answer = (__, response) => response.setHeader('Connection', 'close').end('{"ok":true}');
    const one = send(valid() + valid());
    await until(() => one.statuses().length === 2);
    expect(one.statuses()).toEqual([200, 200]);
    one.socket.destroy();
  });
});

describe('a connection after its last answer', () => {
  const last = 'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n';
  it('ends for good though its client stays', async () => {
    const one = wire(fixtures[0]!.gateway.port, last);
    await until(one.ended);
    await until(() => one.closed() || one.error() !== undefined || !stillTaken(one), 7_000);
  }, 10_000);
  it('ends for good at once where its client sends without end', async () => {
    const one = wire(fixtures[0]!.gateway.port, last);
    const began = performance.now();
    const chunk = Buffer.alloc(1 << 18);
    await until(one.ended);
    while (one.error() === undefined && performance.now() - began < 4_000) {
      one.socket.write(chunk);
      await sleep(2);
    }
    expect(one.error()).toMatch(/ECONNRESET|EPIPE/);
  });
  const stillTaken = ({ socket }: ReturnType<typeof wire>) => {
    socket.write('x');
    return !socket.destroyed;
  };
});
