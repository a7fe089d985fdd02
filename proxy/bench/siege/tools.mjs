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

export const h2Preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(FRAME.SETTINGS, 0, 0),
]);
export const h2Headers = (stream, fields) =>
  frame(FRAME.HEADERS, END_HEADERS, stream, Buffer.concat(fields.map(field)));
/** DATA frames of one byte each. */
export function h2TinyData(stream, count) {
  const one = frame(FRAME.DATA, 0, stream, Buffer.from('x'));
  return Buffer.concat(Array(count).fill(one));
}

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
    /** Header fields of a request, as HTTP/1.1 text. */
    credentials: ({ token, proof }) => `Authorization: DPoP ${token}\r\nDPoP: ${proof}\r\n`,
    post: (credentials, more, query = '') =>
      `POST /mcp${query} HTTP/1.1\r\nHost: gw.example\r\nContent-Type: application/json\r\n${credentials}${more}\r\n`,
    get: (credentials, query = '') =>
      `GET /mcp${query} HTTP/1.1\r\nHost: gw.example\r\nAccept: text/event-stream\r\n${credentials}\r\n`,
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
    /** Sends a whole request on a connection of its own; resolves when it has been answered or cut. */
    async exchange(bytes, address) {
      const socket = await tools.connect(address).catch(() => undefined);
      if (socket === undefined) return;
      count('requests');
      const over = new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
      for (const part of [bytes].flat()) socket.write(part);
      await over;
      socket.destroy();
    },
    /** A session of Node's own client. */
    session(settings = {}, address = '127.0.0.1') {
      const session = http2.connect(`https://127.0.0.1:${target.port}`, {
        rejectUnauthorized: false,
        settings,
        localAddress: address,
      });
      session.once('connect', () => count('connections'));
      return own(session);
    },
    /** `width` at a time, again and again until the siege is over. */
    async over(width, act) {
      const line = async () => {
        while (!closed) await act();
      };
      void Promise.all(Array.from({ length: width }, line));
    },
    /** One proof that a sound request has already spent. */
    async spentProof() {
      const caller = tools.caller();
      const credentials = tools.credentials({ token: caller.token, proof: caller.proof('POST') });
      const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
      await tools.exchange(tools.post(credentials, `Content-Length: ${body.length}\r\n`) + body);
      if (tally['200'] !== 1) throw new Error(`the first use was not answered 200: ${JSON.stringify(tally)}`);
      for (const key of Object.keys(tally)) delete tally[key];
      return credentials;
    },
    close() {
      closed = true;
      for (const socket of sockets) socket.destroy();
    },
  };
  return tools;
}
