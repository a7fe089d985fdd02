// What attacks are made of: sockets from addresses of the attacker's choice, callers, bodies, and HTTP/2 frames.
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { createCaller } from './credentials.mjs';

/** `bytes` bytes of content in chunks of one byte each: six times as much on the wire. */
export const tinyChunks = (bytes) => Buffer.from(`${'1\r\nx\r\n'.repeat(bytes)}0\r\n\r\n`);

const FRAME = { DATA: 0, HEADERS: 1, SETTINGS: 4 };
const END_HEADERS = 4;
/** RFC 9113 4.1. */
function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
/** RFC 7541 5.1, a prefix of seven bits. */
function prefixed(n) {
  if (n < 127) return [n];
  const bytes = [127];
  let left = n - 127;
  for (; left >= 128; left >>= 7) bytes.push((left & 127) | 128);
  return [...bytes, left];
}
/** RFC 7541 6.2.2: a literal field, not indexed, not compressed. */
const field = ([name, value]) =>
  Buffer.concat([
    Buffer.from([0, ...prefixed(name.length)]),
    Buffer.from(name),
    Buffer.from(prefixed(value.length)),
    Buffer.from(value),
  ]);

const h2Preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(FRAME.SETTINGS, 0, 0),
]);
const h2Headers = (stream, fields) =>
  frame(FRAME.HEADERS, END_HEADERS, stream, Buffer.concat(fields.map(field)));
/** DATA frames of one byte each. */
function h2TinyData(stream, count) {
  const one = frame(FRAME.DATA, 0, stream, Buffer.from('x'));
  return Buffer.concat(Array(count).fill(one));
}

/** Of one stream: less than the window that it begins with. */
const TINY_FRAMES = h2TinyData(1, 60_000);
export const MESSAGE = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const TICK_MS = 5;

/** @param target {port, caFile, issuerPem, origin, http2, pid} of the gateway under siege */
export function createTools(target) {
  const tally = {};
  const sockets = new Set();
  const count = (what) => {
    tally[what] = (tally[what] ?? 0) + 1;
  };
  const own = (socket) => {
    sockets.add(socket);
    return socket.on('error', () => count('socket errors')).on('close', () => sockets.delete(socket));
  };
  let closed = false;
  const tools = {
    target,
    tally,
    count,
    ammunition: undefined,
    stopped: () => closed,
    caller: (options = {}) =>
      createCaller({ issuerPem: target.issuerPem, origin: target.origin, sub: 'attacker', ...options }),
    /** Requests of HTTP/1.1. @param framing of the body; absent: as `one` says */
    head: (one, framing, path = '/mcp') =>
      `POST ${path} HTTP/1.1\r\nHost: gw.example\r\n` +
      `Content-Type: application/json\r\n${credentialLines(one)}${framing}\r\n\r\n`,
    get: (one) =>
      `GET /mcp HTTP/1.1\r\nHost: gw.example\r\nAccept: text/event-stream\r\n${credentialLines(one)}\r\n`,
    /** A connection that has been made; status lines of answers are counted. */
    connect(address = '127.0.0.1') {
      return new Promise((resolve, reject) => {
        const { port } = target;
        const options = { host: '127.0.0.1', port, localAddress: address, noDelay: true };
        const alpn = { rejectUnauthorized: false, ALPNProtocols: [target.http2 ? 'h2' : 'http/1.1'] };
        const socket = own(
          target.caFile === undefined ? net.connect(options) : tls.connect({ ...options, ...alpn }),
        );
        socket.once(target.caFile === undefined ? 'connect' : 'secureConnect', () => {
          count('connections');
          resolve(socket);
        });
        socket.once('error', reject);
        if (!target.http2)
          socket.on('data', (chunk) => {
            for (const [, status] of chunk.toString('latin1').matchAll(/^HTTP\/1\.1 (\d{3})/gm))
              count(status);
          });
      });
    },
    /**
     * A POST on a connection of its own, over the protocol of the siege; resolves when it has been answered or cut.
     * @param one token and proof
     * @param length that it announces; more than `body` has does not come
     */
    async post(one, { length, body, query = '' }) {
      const send = target.http2 ? overHttp2 : overHttp1;
      await send(one, { length, body, path: `/mcp${query}` }).catch(() => {});
    },
    /** A POST whose body comes in `pieces` chunks, or DATA frames, of one byte each. */
    async postTiny(one, { chunks, query = '' }) {
      if (!target.http2) return tools.post(one, { body: chunks, query });
      const socket = await tools.connect().catch(() => undefined);
      if (socket === undefined) return;
      count('requests');
      const fields = Object.entries(http2Fields(one, { path: `/mcp${query}` }));
      socket.write(Buffer.concat([h2Preface, h2Headers(1, fields), TINY_FRAMES]));
    },
    /** Event streams of these credentials: connections of their own, or streams of one HTTP/2 connection. */
    async streams(some, address = '127.0.0.1') {
      if (!target.http2) {
        const sockets = await Promise.all(some.map(() => tools.connect(address)));
        sockets.forEach((socket, i) => socket.write(tools.get(some[i])));
        some.forEach(() => count('requests'));
        return;
      }
      const session = await tools.session({}, address);
      for (const one of some) await tools.stream(session, http2Fields(one, { path: '/mcp', method: 'GET' }));
    },
    /** A request without a body on such a session. */
    stream(session, fields) {
      const stream = session.request(fields, { endStream: true });
      stream.on('response', (head) => count(String(head[':status']))).on('error', () => {});
      count('requests');
    },
    http2Fields: (one, options) => http2Fields(one, options),
    /** A session of Node's own client. */
    async session(settings = {}, address = '127.0.0.1') {
      const session = own(
        http2.connect(`https://127.0.0.1:${target.port}`, {
          rejectUnauthorized: false,
          settings,
          localAddress: address,
        }),
      );
      await new Promise((resolve, reject) => session.once('connect', resolve).once('error', reject));
      count('connections');
      return session;
    },
    /** So many times a second until the siege is over, evenly: whoever sends all at once measures the machine. */
    paced(perSecond, act) {
      const began = performance.now();
      let done = 0;
      const timer = setInterval(() => {
        for (; done < ((performance.now() - began) * perSecond) / 1000; done++) {
          tally.due = done + 1;
          act(done);
        }
      }, TICK_MS);
      return () => clearInterval(timer);
    },
    /** One proof that a sound request has already spent. */
    async spentProof() {
      const caller = tools.caller();
      const one = { token: caller.token, proof: caller.proof('POST') };
      await tools.post(one, { body: Buffer.from(MESSAGE) });
      if (tally['200'] !== 1) throw new Error(`the first use was not answered 200: ${JSON.stringify(tally)}`);
      for (const key of Object.keys(tally)) delete tally[key];
      return one;
    },
    close() {
      closed = true;
      for (const socket of sockets) socket.destroy();
    },
  };

  async function overHttp1(one, { length, body, path }) {
    const socket = await tools.connect();
    count('requests');
    const over = new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
    const chunked = body.subarray(0, 3).toString() === '1\r\n';
    const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${length ?? body.length}`;
    socket.write(tools.head(one, framing, path));
    socket.write(body);
    await over;
    socket.destroy();
  }

  async function overHttp2(one, { length, body, path }) {
    const session = await tools.session();
    count('requests');
    const fields = { ...http2Fields(one, { path }), 'content-length': length ?? body.length };
    const stream = session.request(fields);
    const over = new Promise((resolve) => stream.once('response', resolve).once('close', resolve));
    stream.on('error', () => {}).on('response', (head) => count(String(head[':status'])));
    if (length === undefined) stream.end(body);
    else stream.write(body);
    await over;
    session.destroy();
  }
  return tools;
}

const credentialLines = (one) =>
  one === undefined ? '' : `Authorization: DPoP ${one.token}\r\nDPoP: ${one.proof}\r\n`;
const http2Fields = ({ token, proof }, { path, method = 'POST' }) => ({
  ':method': method,
  ':scheme': 'https',
  ':path': path,
  ':authority': 'gw.example',
  'content-type': 'application/json',
  authorization: `DPoP ${token}`,
  dpop: proof,
});
