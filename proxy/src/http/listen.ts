import type { Server } from 'node:http';
import type { Http2Sessions } from './http2-sessions.js';

export interface ListenOptions {
  /** Absent: every address of both families, or of IPv4 alone where the kernel has no other. */
  readonly host?: string | undefined;
  readonly port: number;
  /** Other threads listen there too, and the system deals connections out (SO_REUSEPORT). */
  readonly reusePort?: boolean;
}

/** Resolves with the port in use. */
export function listen(server: Server, { host, port, reusePort = false }: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, reusePort }, () => resolve((server.address() as { port: number }).port));
  });
}

/** Takes no more connections; resolves when those that are open have ended, or have been ended after `graceSeconds`. */
export function closed(server: Server, graceSeconds: number, sessions?: Http2Sessions): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.closeAllConnections();
      sessions?.destroy();
    }, graceSeconds * 1000);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
    sessions?.close();
  });
}
