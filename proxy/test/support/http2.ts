/** A client of HTTP/2: node's own, and one that writes frames byte by byte, which no well-behaved client would. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { join } from 'node:path';
import tls from 'node:tls';

/** Of `dir`: a certificate, for 127.0.0.1 where nothing else is said, and its key, as `name`.crt and `name`.key. */
export function makeCertificate(
  dir: string,
  name: string,
  names = 'IP:127.0.0.1',
  days = 1,
): { certFile: string; keyFile: string } {
  const [certFile, keyFile] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
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
      String(days),
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=${names}`,
      '-keyout',
      keyFile,
      '-out',
      certFile,
    ],
    { stdio: 'pipe' },
  );
  return { certFile, keyFile };
}

export interface Identity {
  readonly certFile: string;
  readonly keyFile: string;
}

export function session(
  port: number,
  caFile: string,
  identity?: Identity,
  options: http2.SecureClientSessionOptions = {},
): ClientHttp2Session {
  const shown =
    identity === undefined
      ? {}
      : { cert: readFileSync(identity.certFile), key: readFileSync(identity.keyFile) };
  return http2
    .connect(`https://127.0.0.1:${port}`, { ca: readFileSync(caFile), ...shown, ...options })
    .on('error', () => {});
}

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: http2.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}
export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  /** name, value … as they came. */
  readonly raw: readonly string[];
  readonly text: string;
  /** RFC 9113 7, of the RST_STREAM that ended it; 0: none, or NO_ERROR. */
  readonly code: number;
  /** END_STREAM came. */
  readonly whole: boolean;
}

export const begin = (
  of: ClientHttp2Session,
  { method = 'GET', path = '/', headers = {}, body }: Ask,
  endStream = body === undefined,
): ClientHttp2Stream => {
  const stream = of.request({ ':method': method, ':path': path, ...headers }, { endStream });
  if (body !== undefined) stream.end(body);
  return stream;
};

export const answerOf = (stream: ClientHttp2Stream): Promise<Answer> =>
  new Promise((resolve) => {
    let head: IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
    let raw: string[] = [];
    let text = '';
    let whole = false;
    stream.on('response', (headers, _flags, lines?: string[]) => {
      [head, raw] = [headers, lines ?? []];
    });
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    stream.on('end', () => {
      whole = !stream.aborted && stream.rstCode === 0;
    });
    stream
      .on('error', () => {})
      .on('close', () =>
        resolve({ status: head[':status'], headers: head, raw, text, code: stream.rstCode ?? 0, whole }),
      );
  });

export const ask = (of: ClientHttp2Session, what: Ask): Promise<Answer> => answerOf(begin(of, what));

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4 } as const;

/** RFC 9113 4.1. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** RFC 7541 5.1 with a prefix of 7 bits. */
function length(n: number): Buffer {
  if (n < 127) return Buffer.from([n]);
  const bytes = [127];
  for (let left = n - 127; ; left >>= 7) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left & 127) | 128);
  }
}

/** RFC 7541 6.2.2: literals, nothing indexed, nothing compressed. */
export const block = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0]),
      length(Buffer.byteLength(name, 'latin1')),
      Buffer.from(name, 'latin1'),
      length(Buffer.byteLength(value, 'latin1')),
      Buffer.from(value, 'latin1'),
    ]),
  );

export const request = (
  method: string,
  path: string,
  more: readonly (readonly [string, string])[] = [],
): (readonly [string, string])[] => [
  [':method', method],
  [':scheme', 'https'],
  [':path', path],
  [':authority', 'gw.example'],
  ...more,
];

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export interface RawClient {
  readonly socket: tls.TLSSocket;
  readonly frames: () => Frame[];
  readonly closedAfterMs: () => number | undefined;
  write(...frames: Buffer[]): void;
}

/**
 * After the preface and SETTINGS; none of the server is ever acknowledged. @param stays does not end its side
 * when the server ends its own
 */
export function rawClient(
  port: number,
  settings: Buffer = Buffer.alloc(0),
  stays = false,
): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    let closedAt: number | undefined;
    let got = Buffer.alloc(0);
    const options: tls.ConnectionOptions & { allowHalfOpen: boolean } = {
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      allowHalfOpen: stays,
    };
    const socket = tls.connect(options, () => {
      socket.write(
        Buffer.concat([
          Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
          frame(FRAME.SETTINGS, 0, 0, settings),
        ]),
      );
      resolve({
        socket,
        write: (...frames) => {
          socket.write(Buffer.concat(frames));
        },
        closedAfterMs: () => (closedAt === undefined ? undefined : closedAt - began),
        frames() {
          const frames: Frame[] = [];
          for (let at = 0; at + 9 <= got.length;) {
            const size = got.readUIntBE(at, 3);
            frames.push({
              type: got[at + 3]!,
              flags: got[at + 4]!,
              stream: got.readUInt32BE(at + 5),
              payload: got.subarray(at + 9, at + 9 + size),
            });
            at += 9 + size;
          }
          return frames;
        },
      });
    });
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
    });
    socket.on('error', reject).on('close', () => {
      closedAt = performance.now();
    });
  });
}
