/**
 * Backends that misbehave, byte for byte: what the client gets of it, one audit line, nothing left open, and
 * the next request as if nothing had been.
 */
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

const FIRST_BYTE_SECONDS = 1.5;
const client = ec();
const HTU = `${ORIGIN}/mcp`;
const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood';

/** On a new connection, before a byte of it; and for a header block that has come in whole. */
interface Backend {
  readonly accept?: (socket: Socket) => void;
  readonly answer: (socket: Socket, head: string) => void;
}
const good: Backend = { answer: (socket) => socket.write(GOOD) };
let backend = good;
/** Request lines and X-Request-Ids, in the order in which they came, and the connection they came on. */
let heads: { readonly head: string; readonly socket: Socket }[] = [];
let server: net.Server;
let fixture: GatewayFixture;
const open = new Set<Socket>();

beforeAll(async () => {
  server = net.createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    backend.accept?.(socket);
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
      for (
        let end = got.indexOf('\r\n\r\n');
        end !== -1 && /^[A-Z]+ \//.test(got);
        end = got.indexOf('\r\n\r\n')
      ) {
        const head = got.slice(0, end);
        got = got.slice(end + 4);
        heads.push({ head, socket });
        backend.answer(socket, head);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));
// A gateway for each: what one leaves behind must not be what the next one is checked by.
beforeEach(async () => {
  backend = good;
  heads = [];
  fixture = await startFixture({
    change: (config) => {
      config.upstream = { firstByteTimeoutSeconds: FIRST_BYTE_SECONDS, idleTimeoutSeconds: 3 };
      (config.routes[0]!.backend as { url: string }).url =
        `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
  });
});
afterEach(async () => {
  await fixture.stop();
  for (const socket of open) socket.destroy();
});

interface Got {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** It ended as an answer ends: its length, or its last chunk, was there. */
  readonly whole: boolean;
  /** When its pieces came. */
  readonly at: readonly number[];
}
interface Ask {
  readonly method?: 'GET' | 'POST';
  /** Bytes of the body that are announced; what is sent of it. */ readonly length?: number;
  readonly body?: string;
}

function ask({ method = 'POST', length, body = '' }: Ask = {}): Promise<Got> {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const headers = {
    authorization: `DPoP ${token}`,
    dpop: proof(client, method, HTU, token),
    ...(method === 'GET' ? {} : { 'content-length': String(length ?? body.length) }),
  };
  return new Promise((resolve) => {
    const at: number[] = [];
    let text = '';
    const out = http.request(
      { host: '127.0.0.1', port: fixture.gateway.port, path: '/mcp', method, headers, agent: false },
      (answer) => {
        const end = () => {
          resolve({ status: answer.statusCode, headers: answer.headers, text, whole: answer.complete, at });
          out.destroy();
        };
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1');
          at.push(performance.now());
        });
        answer.on('error', () => {}).on('close', end);
      },
    );
    out.on('error', () => resolve({ status: undefined, headers: {}, text, whole: false, at }));
    if (length === undefined || length === body.length) out.end(body);
    else out.write(body);
  });
}

const activeConnections = async () => {
  const line = (await fixture.admin('/metrics')).text
    .split('\n')
    .find((l) => l.startsWith('agentgateway_active_connections{'));
  return Number(line?.split(' ')[1] ?? NaN);
};
/**
 * Runs a request and gives its answer and its audit line, having seen that it is the only one, that nothing
 * stays open, and that the next request passes.
 */
async function through(misdeed: Backend, what?: Ask): Promise<{ got: Got; line: Record<string, unknown> }> {
  const before = (await fixture.audit()).length;
  backend = misdeed;
  const got = await ask(what);
  for (let i = 0; i < 50 && (await activeConnections()) !== 0; i++) await sleep(20);
  const lines = (await fixture.audit()).slice(before);
  expect(lines).toHaveLength(1);
  expect(await activeConnections()).toBe(0);
  backend = good;
  expect(await ask()).toMatchObject({ status: 200, text: 'good', whole: true });
  return { got, line: lines[0]! };
}
const says = (text: string): Backend => ({ answer: (socket) => socket.write(text, 'latin1') });
const saysAndCloses = (text: string): Backend => ({ answer: (socket) => socket.end(text, 'latin1') });
const saysAndResets = (text: string): Backend => ({
  answer: (socket) => socket.write(text, 'latin1', () => setTimeout(() => socket.resetAndDestroy(), 20)),
});
const drips = (text: string, everyMs: number): Backend => ({
  answer(socket) {
    let at = 0;
    const timer = setInterval(() => {
      if (at < text.length && !socket.destroyed) socket.write(text[at++]!, 'latin1');
      else clearInterval(timer);
    }, everyMs);
  },
});
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('a backend without an answer', () => {
  it.each<[string, Backend, RegExp]>([
    [
      'resets a connection that it has accepted',
      { ...good, accept: (socket) => socket.resetAndDestroy() },
      /^upstream_unreachable$/,
    ],
    [
      'closes a connection that it has accepted',
      { ...good, accept: (socket) => socket.end() },
      /^upstream_unreachable$/,
    ],
    ['resets at the request', { answer: (socket) => socket.resetAndDestroy() }, /^upstream_unreachable$/],
    ['resets after half a header block', saysAndResets('HTTP/1.1 200 OK\r\nContent-Le'), /^upstream_/],
    ['closes after half a header block', saysAndCloses('HTTP/1.1 200 OK\r\nContent-Le'), /^upstream_/],
  ])('%s: 502', async (_, misdeed, reason) => {
    const { got, line } = await through(misdeed);
    expect(got).toMatchObject({ status: 502, whole: true });
    expect(line).toMatchObject({ 'response.status': 502, reason: expect.stringMatching(reason) });
  });
  it.each<[string, Backend]>([
    ['accepts and stays silent', { answer: () => {} }],
    ['never ends its header block', drips(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(500)}`, 20)],
    ['says 100 and no more', says('HTTP/1.1 100 Continue\r\n\r\n')],
  ])('%s: 504 when the time for the first byte is over', async (_, misdeed) => {
    const began = performance.now();
    const { got, line } = await through(misdeed);
    expect(got.status).toBe(504);
    expect(line).toMatchObject({ reason: 'upstream_timeout' });
    expect(performance.now() - began).toBeLessThan((FIRST_BYTE_SECONDS + 5) * 1000);
  });
});

describe('a backend that is slow', () => {
  it('with its header block, byte after byte, is waited for while there is time', async () => {
    const { got } = await through(drips('HTTP/1.1 204 None\r\n\r\n', 25));
    expect(got).toMatchObject({ status: 204, whole: true });
  });
  it('with its body is passed on byte after byte', async () => {
    const text = 'x'.repeat(50);
    const { got } = await through({
      answer(socket, head) {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n`);
        drips(text, 20).answer(socket, head);
      },
    });
    expect(got).toMatchObject({ status: 200, text, whole: true });
    expect(got.at.length).toBeGreaterThan(text.length / 2);
    expect(got.at.at(-1)! - got.at[0]!).toBeGreaterThan(500);
  });
});

describe('an answer that is not whole', () => {
  it.each<[string, Backend, string]>([
    ['chunks without a last one', saysAndCloses(`${chunked}4\r\nhalf\r\n`), 'half'],
    ['a chunk that is shorter than it says', saysAndCloses(`${chunked}8\r\nhalf`), 'half'],
    ['chunks, and a reset', saysAndResets(`${chunked}4\r\nhalf\r\n`), 'half'],
    [
      'a body that is shorter than its length',
      saysAndCloses('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf'),
      'half',
    ],
    ['a length and no body', saysAndCloses('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n'), ''],
    ['a chunk size that is none', says(`${chunked}4\r\nhalf\r\nzz\r\n`), 'half'],
  ])('%s: reaches the client as a cut, never as an answer that ends', async (_, misdeed, text) => {
    const { got, line } = await through(misdeed);
    expect([200, undefined]).toContain(got.status); // a cut may come before the header block has gone out
    expect(got.whole).toBe(false);
    expect(text.startsWith(got.text)).toBe(true);
    expect(line).toMatchObject({
      reason: 'ok',
      'response.status': 200,
      complete: false,
      ended: 'backend_cut',
    });
    expect(line['response.bytes']).toBeLessThanOrEqual(text.length);
  });
  it('with neither length nor chunks ends with its connection', async () => {
    const { got } = await through(saysAndCloses('HTTP/1.1 200 OK\r\n\r\nall of it'));
    expect(got).toMatchObject({ status: 200, text: 'all of it', whole: true });
  });
});

describe('an answer that is no HTTP', () => {
  it.each<[string, Backend]>([
    ['a garbage status line', says('HELO backend ESMTP\r\n\r\n')],
    ['bytes of TLS', says('\x15\x03\x01\x00\x02\x02\x28')],
    ['a header line without a colon', says('HTTP/1.1 200 OK\r\nno colon\r\n\r\n')],
    [
      'both a length and chunks',
      says('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
    ],
    ['two lengths', says('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!')],
    [
      'a header block of 100 KB',
      says(`HTTP/1.1 200 OK\r\n${`X-Filler: ${'x'.repeat(990)}\r\n`.repeat(100)}Content-Length: 0\r\n\r\n`),
    ],
    ['a status of four digits', says('HTTP/1.1 1000 Odd\r\nContent-Length: 2\r\n\r\nok')],
    ['a NUL in a field', says('HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n')],
  ])('%s: 502', async (_, misdeed) => {
    const { got, line } = await through(misdeed);
    expect(got).toMatchObject({ status: 502, whole: true });
    expect(line.reason).toMatch(/^upstream_(failed|unreachable)$/);
  });
  it.each(['000', '099', '101'])('status %s: 502', async (status) => {
    const { got, line } = await through(says(`HTTP/1.1 ${status} Odd\r\nContent-Length: 2\r\n\r\nok`));
    expect(got).toMatchObject({ status: 502, whole: true });
    expect(line).toMatchObject({ 'response.status': 502, reason: 'upstream_failed' });
  });
  it('status 101 with an Upgrade that nobody asked for: 502', async () => {
    const { got, line } = await through(
      says('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
    );
    expect(got).toMatchObject({ status: 502, whole: true });
    expect(line).toMatchObject({ 'response.status': 502, reason: 'upstream_failed' });
  });
});

describe('an answer and more', () => {
  it.each(['100 Continue', '102 Processing', '103 Early Hints'])(
    '%s before it is passed over',
    async (status) => {
      const { got, line } = await through(
        says(
          `HTTP/1.1 ${status}\r\nLink: </early>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok`,
        ),
      );
      expect(got).toMatchObject({ status: 201, text: 'ok', whole: true });
      expect(got.headers).not.toHaveProperty('link');
      expect(line['response.status']).toBe(201);
    },
  );
  const POISON = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  it.each([
    ['at once', 0],
    ['a moment later', 5],
    ['when the connection is idle', 60],
  ])('a second answer, %s, never becomes that of another request', async (_, ms) => {
    backend = {
      answer(socket) {
        if (ms === 0) socket.write(GOOD + POISON);
        else socket.write(GOOD, () => setTimeout(() => socket.write(POISON), ms));
      },
    };
    expect(await ask()).toMatchObject({ status: 200, text: 'good' });
    // While a request is under way nobody could tell it from that one's answer; it comes before there is one.
    await sleep(ms + 50);
    let honest = 0;
    backend = {
      answer: (socket) => {
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest'), 30);
        honest += 1;
      },
    };
    for (let i = 0; i < 5; i++) {
      const got = await ask();
      expect([200, 502]).toContain(got.status);
      expect(got.text).not.toContain('poison');
      if (got.status === 200) expect(got.text).toBe('honest');
    }
    expect(honest).toBeGreaterThanOrEqual(4);
  });
  it('bytes behind a body never become part of the next answer', async () => {
    backend = says('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngoodtail');
    const { text, whole } = await ask();
    expect(whole ? text === 'good' : 'good'.startsWith(text)).toBe(true);
    backend = good;
    for (let i = 0; i < 3; i++) expect((await ask()).text).toBe('good');
  });
});

describe('an answer before the end of its request', () => {
  it('and a reset: the client gets what came, the audit says that it is not whole', async () => {
    const { got, line } = await through(
      saysAndResets('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nearly'),
      { length: 1000, body: 'x'.repeat(10) },
    );
    expect(got).toMatchObject({ status: 200, text: 'early', whole: false });
    expect(line).toMatchObject({ 'response.status': 200, complete: false, ended: 'backend_cut' });
  });
  it('that is whole, and a reset: the client has its answer', async () => {
    const { got, line } = await through(saysAndResets('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly'), {
      length: 1000,
      body: 'x'.repeat(10),
    });
    expect(got).toMatchObject({ status: 200, text: 'early', whole: true });
    expect(line).toMatchObject({ 'response.status': 200, complete: true });
  });
});

it('a kept connection closes under the second request: 502, and it was sent once, as its proof is spent', async () => {
  expect((await ask()).status).toBe(200);
  const kept = heads[0]!.socket;
  heads = [];
  const { got, line } = await through({ answer: (socket) => socket.destroy() });
  expect(got.status).toBe(502);
  expect(line.reason).toBe('upstream_unreachable');
  expect(heads[0]!.socket).toBe(kept); // it was the kept one
  expect(heads.filter(({ head }) => head.includes(String(line['request.id'])))).toHaveLength(1);
  expect(heads).toHaveLength(2); // and the good one of `through`
});
