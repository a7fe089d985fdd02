import http, {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Config } from '../config/index.js';
import { ClientConnection, type ClientConnectionOptions } from './client-connection.js';
import { createHttp2Sessions, type Http2Sessions } from './http2-sessions.js';
import { IdleConnections } from './idle-connections.js';
import { createIntake, type Handle } from './intake.js';
import type { Reason } from '../pipeline/reason.js';
import { handshakeFailure, type HandshakeFailure } from './handshake-failure.js';
import { networkOf, plainAddress, type TrustedPeers } from './trusted-peers.js';

export interface EdgeServerOptions {
  /** Whose connections are counted by address: see `limits.maxConnectionsPerAddress`. */
  readonly peers: TrustedPeers;
  /** A connection was not taken: too many of its address, or altogether. */
  readonly onRefused: (cause: 'address' | 'total') => void;
  /** A TLS handshake failed. */
  readonly onHandshakeFailed: (cause: HandshakeFailure) => void;
  readonly limits: Config['limits'];
  /** Bytes came that are no request; returns the id of the record that was made of it. */
  readonly onUnreadable: (reason: Reason, address: string) => string;
  /** Absent: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /**
   * Ask clients for a certificate; whoever shows none may still connect, and which one counts is a profile's
   * matter (RFC 8705 2.2: no chain is required).
   */
  readonly askForCertificate: boolean;
}

export interface EdgeServer {
  readonly server: Server;
  /**
   * Of the server's connections those that speak HTTP/2, which it does not close itself; absent: plain HTTP,
   * which is HTTP/1.1.
   */
  readonly sessions: Http2Sessions | undefined;
}

/** The socket that clients reach, with the bounds that hold before a request is one. */
export function createEdgeServer(options: EdgeServerOptions, handleRequest: Handle): EdgeServer {
  const { limits, peers, onRefused, onUnreadable } = options;
  const handle = createIntake(handleRequest);
  const server = newServer(options);
  const idle = new IdleConnections(limits.maxIdleConnections ?? Math.ceil(limits.maxConnections / 2));
  const sessions =
    options.tls === undefined
      ? undefined
      : createHttp2Sessions(limits, idle, handle, (reason, socket) => {
          onUnreadable(reason, plainAddress(socket.remoteAddress ?? 'unknown'));
        });
  if (sessions !== undefined) divert(server, sessions);
  serveHttp1(server, {
    handle,
    maxBodyBytes: limits.maxBodyBytes,
    idle,
    onUnreadable: (reason, socket) => onUnreadable(reason, plainAddress(socket.remoteAddress ?? 'unknown')),
  });
  server.on('tlsClientError', (cause: Error, socket: Socket) => {
    const failure = handshakeFailure(cause);
    options.onHandshakeFailed(failure);
    if (failure === 'not_tls') onUnreadable('not_tls', plainAddress(socket.remoteAddress ?? 'unknown'));
  });
  server.maxConnections = limits.maxConnections;
  server.on('drop', () => onRefused('total'));
  capPerAddress(server, limits.maxConnectionsPerAddress, peers, () => onRefused('address'));
  // Node would drop the headers beyond a count, Host and Authorization maybe; accept counts them, maxHeaderSize
  // bounds them.
  server.maxHeadersCount = 0;
  return { server, sessions };
}

function newServer({ limits, tls, askForCertificate }: EdgeServerOptions): Server {
  const options = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutSeconds * 1000,
    requestTimeout: 0, // bodies have a bound on silence instead: a long upload is not an attack
    // often, so that thousands of slow clients are not all closed in one turn of the event loop
    connectionsCheckingInterval: 250,
    keepAliveTimeout: limits.keepAliveTimeoutSeconds * 1000,
    rejectNonStandardBodyWrites: true,
    requireHostHeader: false, // accept refuses it, with a record
  };
  if (tls === undefined) return http.createServer(options);
  return https.createServer({
    ...options,
    ...tls,
    handshakeTimeout: limits.headersTimeoutSeconds * 1000,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2', 'http/1.1'],
    requestCert: askForCertificate,
    rejectUnauthorized: false,
  });
}

/**
 * Whatever node:http makes of the bytes of a connection goes to its ClientConnection: nothing is answered by
 * node:http itself.
 */
function serveHttp1(server: Server, options: ClientConnectionOptions): void {
  const arrived: RequestListener = (message, response) =>
    ClientConnection.of(message.socket, options).arrived(message, response);
  server.on('request', arrived).on('checkExpectation', arrived);
  server.on('checkContinue', (message: IncomingMessage, response: ServerResponse) => {
    continueWhenRead(message, response);
    arrived(message, response);
  });
  server.on('connect', (message: IncomingMessage, socket: Socket, head: Buffer) =>
    ClientConnection.of(socket, options).arrivedConnect(message, head),
  );
  server.on('clientError', (cause: NodeJS.ErrnoException, socket: Socket) =>
    ClientConnection.of(socket, options).failed(cause),
  );
}

/**
 * RFC 9110 10.1.1: who waits for 100 is asked for the body when somebody reads it, not before the request is
 * checked.
 */
function continueWhenRead(message: IncomingMessage, response: ServerResponse): void {
  const read = message._read;
  const readFirst = (size: number) => {
    message._read = read;
    if (!response.headersSent) response.writeContinue();
    read.call(message, size);
  };
  message._read = readFirst;
}

/** HTTP/2 is another protocol on the same connections: whoever chose it never gets to the parser of HTTP/1.1. */
function divert(server: Server, sessions: Http2Sessions): void {
  const toHttp1 = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') sessions.take(socket);
    else for (const listener of toHttp1) listener.call(server, socket);
  });
}

/**
 * One address cannot take all the connections there are. Of a TLS server these are the raw ones, before the
 * handshake.
 */
function capPerAddress(server: Server, most: number, peers: TrustedPeers, onRefused: () => void): void {
  const open = new Map<string, number>();
  server.prependListener('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? '');
    if (peers.has(address)) return;
    const network = networkOf(address);
    const count = (open.get(network) ?? 0) + 1;
    if (count > most) {
      onRefused();
      socket.destroy();
      return;
    }
    open.set(network, count);
    socket.once('close', () => {
      const left = open.get(network)! - 1;
      if (left === 0) open.delete(network);
      else open.set(network, left);
    });
  });
}
