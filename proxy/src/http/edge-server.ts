import http, { type RequestListener, type Server } from 'node:http';
import https from 'node:https';
import type { Config } from '../config/index.js';

export interface EdgeServerOptions {
  readonly limits: Config['limits'];
  /** Absent: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Ask clients for a certificate; whoever shows none may still connect, and which one counts is a profile's matter (RFC 8705 2.2: no chain is required). */
  readonly askForCertificate: boolean;
}

/** The socket that clients reach, with the bounds that hold before a request is one. */
export function createEdgeServer({ limits, tls, askForCertificate }: EdgeServerOptions, handle: RequestListener): Server {
  const options = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutSeconds * 1000,
    requestTimeout: 0, // bodies have a bound on silence instead: a long upload is not an attack
    connectionsCheckingInterval: 2000,
    keepAliveTimeout: 65_000,
    rejectNonStandardBodyWrites: true,
  };
  const server = tls === undefined
    ? http.createServer(options, handle)
    : https.createServer({ ...options, ...tls, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'], requestCert: askForCertificate, rejectUnauthorized: false }, handle);
  server.maxConnections = limits.maxConnections;
  // Node would drop the headers beyond a count, Host and Authorization maybe; accept counts them, maxHeaderSize bounds them.
  server.maxHeadersCount = 0;
  return server;
}
