import { STATUS_CODES, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { meaningOf, type Reason } from '../pipeline/reason.js';
import { isServing } from './one-at-a-time.js';

/** What the parser says of bytes that are no request; anything else is the connection's own end. */
const REASONS: Readonly<Record<string, Reason>> = {
  HPE_HEADER_OVERFLOW: 'too_many_headers',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'headers_stalled',
};
const reasonOf = (code: string | undefined): Reason | undefined =>
  code === undefined
    ? undefined
    : (REASONS[code] ?? (code.startsWith('HPE_') ? 'malformed_request' : undefined));

/**
 * Answers what node:http cannot make a request of, as every refusal is answered, and says so: node's own answer leaves no trace. Bytes that spoil a request under way end its
 * connection, and it concludes as one whose client has gone.
 * @param refused returns the id of the record that it made
 */
export function answerUnreadable(server: Server, refused: (reason: Reason, socket: Socket) => string): void {
  server.on('clientError', (cause: NodeJS.ErrnoException, socket: Socket) => {
    const reason = reasonOf(cause.code);
    if (reason === undefined || isServing(socket) || !socket.writable) return void socket.destroy();
    const { status, say } = meaningOf(reason);
    const body = JSON.stringify({ error: reason, error_description: say });
    socket.end(
      [
        `HTTP/1.1 ${status} ${STATUS_CODES[status]!}`,
        'Content-Type: application/json',
        'Cache-Control: no-store',
        `X-Request-Id: ${refused(reason, socket)}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
      () => socket.destroy(),
    );
  });
}
