/** A client that writes bytes, over TCP or TLS, and keeps what comes back. */
import net from 'node:net';
import tls from 'node:tls';

export interface Wire {
  readonly socket: net.Socket;
  readonly got: () => string;
  /** Of the answers so far, in their order; interim ones too. */
  readonly statuses: () => number[];
  /** The server shut its side down. */
  readonly ended: () => boolean;
  readonly closed: () => boolean;
  /** Of the connection, as this client saw it. */
  readonly error: () => string | undefined;
}

/** @param text written at once, in one piece */
export function wire(port: number, text: string | Buffer, secure = false): Wire {
  let got = '';
  let [ended, closed] = [false, false];
  let error: string | undefined;
  const options = { host: '127.0.0.1', port, allowHalfOpen: true };
  const socket: net.Socket = secure
    ? tls.connect({
        ...options,
        rejectUnauthorized: false,
        ALPNProtocols: ['http/1.1'],
      } as tls.ConnectionOptions)
    : net.connect(options);
  socket.once(secure ? 'secureConnect' : 'connect', () => socket.write(text));
  socket
    .on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
    })
    .on('error', (cause: NodeJS.ErrnoException) => {
      error = cause.code;
    })
    .on('end', () => {
      ended = true;
    })
    .on('close', () => {
      closed = true;
    });
  return {
    socket,
    got: () => got,
    statuses: () => [...got.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)),
    ended: () => ended,
    closed: () => closed,
    error: () => error,
  };
}
