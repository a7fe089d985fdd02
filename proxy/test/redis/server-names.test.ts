/** What name a Redis is asked for by, over TLS: one address may serve several. */
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { connectRedis, type RedisConfig } from '../../src/redis/connect.js';
import { makeCertificate } from '../support/http2.js';
import { until } from '../support/until.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-sni-'));
const { certFile: caFile, keyFile } = makeCertificate(dir, 'redis', 'DNS:localhost,IP:127.0.0.1');
const asked: (string | false)[] = [];
const sockets = new Set<Socket>();
let port = 0;

/** Just enough of Redis for a client to go on: it is a sentinel, a master and a node of a cluster. */
function reply(command: string): string {
  const text = (t: string) => `$${Buffer.byteLength(t)}\r\n${t}\r\n`;
  const address = `${text('localhost')}${text(String(port))}`;
  if (/get-master-addr-by-name/i.test(command)) return `*2\r\n${address}`;
  if (/\bslots\b/i.test(command)) return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n${text('localhost')}:${port}\r\n`;
  if (/\bsentinels\b/i.test(command)) return '*0\r\n';
  if (/\binfo\b/i.test(command)) return text('role:master\r\ncluster_state:ok\r\n');
  if (/\brole\b/i.test(command)) return `*3\r\n${text('master')}:0\r\n*0\r\n`;
  return '+OK\r\n';
}

const server = tls.createServer({ cert: readFileSync(caFile), key: readFileSync(keyFile) }, (socket) => {
  asked.push((socket as tls.TLSSocket & { servername: string | false }).servername);
  sockets.add(socket);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    // Each command is an array: as many answers as there are.
    for (const command of chunk.toString().split(/(?=\*\d+\r\n\$)/)) socket.write(reply(command));
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  asked.length = 0;
});

async function connected(
  host: string,
  topology: RedisConfig['topology'],
  connections: number,
): Promise<void> {
  const redis = await connectRedis(
    {
      store: 'redis',
      url: `rediss://${host}:${port}`,
      caFile,
      keyPrefix: 'x',
      timeoutSeconds: 1,
      topology,
      onStoreFailure: 'deny',
    },
    () => {},
  );
  await until(() => asked.length >= connections);
  redis.disconnect();
}

describe('a Redis over TLS', () => {
  it('is asked for by its name', async () => {
    await connected('localhost', { kind: 'single' }, 1);
    expect(asked[0]).toBe('localhost');
  });
  it('that has none is asked for by none', async () => {
    await connected('127.0.0.1', { kind: 'single' }, 1);
    expect(asked[0]).toBe(false);
  });
  it('is asked for by the name that a sentinel gives it, and so is the sentinel', async () => {
    await connected('localhost', { kind: 'sentinel', master: 'main', sentinels: [] }, 2);
    expect(asked.slice(0, 2)).toEqual(['localhost', 'localhost']);
  });
  it('is asked for by the name of a master, where the sentinel has only an address', async () => {
    await connected('127.0.0.1', { kind: 'sentinel', master: 'main', sentinels: [] }, 2);
    expect(asked.slice(0, 2)).toEqual([false, 'localhost']);
  });
  it('of a cluster is asked for by the name of the node', async () => {
    await connected('localhost', { kind: 'cluster', nodes: [] }, 1);
    expect(asked).toContain('localhost');
  });
});
