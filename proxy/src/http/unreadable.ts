import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { meaningOf, type Reason } from '../pipeline/reason.js';

/** What the parser says of bytes that are no request; anything else is the connection's own end. */
const REASONS: Readonly<Record<string, Reason>> = {
  HPE_HEADER_OVERFLOW: 'too_many_headers',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'headers_stalled',
};

/** What node:http says of bytes that it could not parse. */
export interface ParserError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer;
}

/** Absent: the connection failed, and nobody is there to answer. @param isFirst nothing came before */
export function reasonOf({ code, rawPacket }: ParserError, isFirst: boolean): Reason | undefined {
  if (code === undefined) return undefined;
  if (!code.startsWith('HPE_')) return REASONS[code];
  if (isFirst && rawPacket !== undefined && beginsProxyProtocol(rawPacket)) return 'proxy_protocol';
  return REASONS[code] ?? 'malformed_request';
}

/** haproxy's proxy-protocol.txt 2.1 and 2.2. */
const PROXY_V1 = Buffer.from('PROXY ');
const PROXY_V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const beginsProxyProtocol = (bytes: Buffer): boolean =>
  [PROXY_V1, PROXY_V2].some((signature) => bytes.subarray(0, signature.length).equals(signature));

/**
 * The answer to what node:http cannot make a request of, with the fields that every refusal has: its own answer has
 * none of them.
 */
export function unreadableAnswer(reason: Reason, requestId: string): string {
  const { status, say } = meaningOf(reason);
  const body = JSON.stringify({ error: reason, error_description: say });
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]!}`,
    'Content-Type: application/json',
    'Cache-Control: no-store',
    `X-Request-Id: ${requestId}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

/** What node:http has of a connection; the bytes are those of the read that is being parsed. */
type Parsed = Socket & { readonly parser?: { getCurrentBuffer?(): Buffer } };

/**
 * `POST /mcp RTSP/1.0`: llhttp takes RTSP (RFC 2326) for HTTP where a method is of both, and says version 1.0. Its
 * request line is looked for in the bytes, while its header block is handled; a line that came in two reads is not
 * there any more (decision 29).
 */
export function isRtsp({ httpVersion, method, url, socket }: IncomingMessage): boolean {
  if (httpVersion !== '1.0') return false;
  const bytes = (socket as Parsed).parser?.getCurrentBuffer?.();
  return bytes?.includes(`${method} ${url} RTSP/`, 0, 'latin1') === true;
}
