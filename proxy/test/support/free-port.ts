import net from 'node:net';

/**
 * Below what the system gives to clients and to `listen(0)`, also with the 10000 that a Redis Cluster adds:
 * nobody else gets a port between our question and its use.
 */
const [FIRST, WINDOWS, PORTS] = [12_000, 100, 100];
const window = FIRST + (process.pid % WINDOWS) * PORTS;
let next = 0;

/**
 * A port of the loopback on which nobody listens, of a range that this process has for itself; the same one
 * again only after all others.
 */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < PORTS; tried++) {
    const port = window + (next++ % PORTS);
    const server = net.createServer();
    const free = await new Promise<boolean>((resolve) =>
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)),
    );
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error(`no free port from ${window} to ${window + PORTS - 1}`);
}
