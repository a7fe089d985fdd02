/**
 * A body that does not come: whoever answered already, the pace of bodies holds, and no connection to a backend
 * stays behind.
 */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { until } from './support/until.js';

const IDLE_SECONDS = 1;
/** The bound, the tick of the deadlines, and a slow machine. */
const SOON_MS = IDLE_SECONDS * 1000 + 1500;

const client = ec();
let fixture: GatewayFixture;
/** Answers every header block and takes no notice of what follows. */
let hasty: net.Server;
let open: Set<net.Socket>;

beforeAll(async () => {
  open = new Set();
  hasty = net.createServer((socket) => {
    open.add(socket);
    let got = '';
    let answered = 0;
    socket
      .on('error', () => {})
      .on('close', () => open.delete(socket))
      .on('data', (chunk) => {
        got += chunk.toString('latin1');
        for (const begun = got.split('\r\n\r\n').length - 1; answered < begun; answered++)
          socket.write('HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}');
      });
  });
  await new Promise<void>((resolve) => hasty.listen(0, '127.0.0.1', resolve));
  fixture = await startFixture({
    change: (config) => {
      config.limits = { bodyIdleTimeoutSeconds: IDLE_SECONDS, maxBodyBytes: 1000 };
      for (const route of config.routes)
        (route.backend as { url: string }).url =
          `http://127.0.0.1:${(hasty.address() as net.AddressInfo).port}`;
    },
  });
});
afterAll(async () => {
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => hasty.close(resolve));
  await fixture.stop();
});

const signed = (framing: string) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return (
    `POST /mcp HTTP/1.1\r\nHost: gw.example\r\nAuthorization: DPoP ${token}\r\nDPoP: ` +
    `${proof(client, 'POST', `${ORIGIN}/mcp`, token)}\r\n${framing}\r\n\r\n`
  );
};
interface Slow {
  readonly socket: net.Socket;
  readonly got: () => string;
  readonly closedAfterMs: () => number | undefined;
}
const begin = async (bytes: string): Promise<Slow> => {
  let got = '';
  let closedAt: number | undefined;
  const began = performance.now();
  const socket = net.connect(fixture.gateway.port, '127.0.0.1', () => socket.write(bytes));
  socket
    .on('error', () => {})
    .on('data', (chunk) => {
      got += chunk.toString('latin1');
    })
    .on('close', () => {
      closedAt = performance.now();
    });
  while (!/^HTTP\/1\.1 \d{3} [^]*\r\n\r\n/.test(got) && closedAt === undefined) await sleep(5);
  return {
    socket,
    got: () => got,
    closedAfterMs: () => (closedAt === undefined ? undefined : closedAt - began),
  };
};
/** The close of its connection is a message, which may come a moment later. */
const backendIsFree = async () => {
  for (let left = 1_000; left > 0 && open.size > 0; left -= 10) await sleep(10);
  expect(open.size).toBe(0);
};
const drip = async ({ socket }: Slow, ms: number) => {
  for (let left = ms; left > 0 && socket.writable; left -= 100) {
    socket.write('x');
    await sleep(100);
  }
};

describe('after an answer that came before the end of the request', () => {
  it.each([
    ['silence', () => sleep(SOON_MS)],
    ['a byte now and then', (slow: Slow) => drip(slow, SOON_MS)],
  ])('%s ends both connections', async (_, then) => {
    const slow = await begin(`${signed('Content-Length: 900')}x`);
    expect(slow.got()).toMatch(/^HTTP\/1\.1 202 /);
    await then(slow);
    expect(slow.closedAfterMs()).toBeLessThan(SOON_MS);
    await backendIsFree();
  });
  it('a client that leaves takes the connection to the backend with it', async () => {
    const slow = await begin(`${signed('Content-Length: 900')}x`);
    expect(open.size).toBe(1);
    slow.socket.destroy();
    await backendIsFree();
  });
  it('a body without end is not taken without end', async () => {
    const slow = await begin(`${signed('Transfer-Encoding: chunked')}1\r\nx\r\n`);
    for (let i = 0; i < SOON_MS / 100 && slow.socket.writable; i++) {
      slow.socket.write(`1000\r\n${'x'.repeat(4096)}\r\n`);
      await sleep(100);
    }
    expect(slow.closedAfterMs()).toBeLessThan(SOON_MS);
    await backendIsFree();
  });
  it('the rest of the request may still come, and the next one after it', async () => {
    const slow = await begin(`${signed('Content-Length: 4')}x`);
    slow.socket.write(`yz!${signed('Content-Length: 0')}`);
    await until(() => slow.got().match(/HTTP\/1\.1 202 /g)?.length === 2);
    await sleep(SOON_MS); // the first one's deadline is not the second one's
    expect(slow.closedAfterMs()).toBeUndefined();
    slow.socket.destroy();
  });
});

describe('where no credentials are needed', () => {
  it.each(['/healthz', '/.well-known/oauth-protected-resource/mcp'])('%s waits for no body', async (path) => {
    const slow = await begin(`GET ${path} HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 900\r\n\r\nx`);
    expect(slow.got()).toMatch(/^HTTP\/1\.1 200 [^]*Connection: close/);
    await drip(slow, 300);
    expect(slow.closedAfterMs()).toBeLessThan(1000);
  });
  it.each(['/healthz', '/.well-known/oauth-protected-resource/mcp'])(
    '%s keeps the connection of a request without one',
    async (path) => {
      const slow = await begin(`GET ${path} HTTP/1.1\r\nHost: gw.example\r\n\r\n`);
      expect(slow.got()).toMatch(/Connection: keep-alive/);
      expect(slow.closedAfterMs()).toBeUndefined();
      slow.socket.destroy();
    },
  );
});
