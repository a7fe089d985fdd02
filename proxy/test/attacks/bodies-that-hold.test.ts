/**
 * Bodies that a decision needs are held until they are whole, in memory of one size for all of them. Eight requests,
 * each of 4 MiB less a few bytes and then a byte every 13 s, took all of it: what they had sent at once was credit for
 * hours, and every other client got 503 for as long as they went on.
 */
import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFixture, type GatewayFixture } from '../support/gateway.js';

const MIB = 2 ** 20;
const BODY = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":"${'x'.repeat(100_000)}"}}`;

let fixture: GatewayFixture;
const begin = async (version: number, limits: { readonly bodyIdleTimeoutSeconds?: number } = {}) => {
  fixture = await startFixture({
    http2: version === 2,
    change: (config) => {
      config.trustedPeers = ['127.0.0.0/8'];
      config.limits = limits;
      config.routes = [
        {
          ...config.routes[0]!,
          allow: [{ method: 'tools/list' }],
          auth: { profile: 'dpop', issuers: ['as'], mode: 'optional' },
        },
      ] as typeof config.routes;
    },
  });
};
const timers: NodeJS.Timeout[] = [];
afterEach(async () => {
  for (const timer of timers.splice(0)) clearInterval(timer);
  await fixture.stop();
});

/** One request that announced 4 MiB. */
interface Holder {
  /** Resolves when it was written. */
  readonly send: (bytes: Buffer) => Promise<unknown>;
  /** Status and body of its answer, so far. */
  readonly got: () => string;
  readonly close: () => void;
}

function overHttp1(address: string): Holder {
  let got = '';
  const socket = net.connect(fixture.gateway.port, '127.0.0.1').on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    got += chunk.toString();
  });
  socket.write(
    `POST /mcp HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}\r\nContent-Length: ${4 * MIB}\r\n\r\n`,
  );
  return {
    send: async (bytes) => socket.writable && new Promise((resolve) => socket.write(bytes, resolve)),
    got: () => got.replace(/^HTTP\/1\.1 /, ''),
    close: () => socket.destroy(),
  };
}

function overHttp2(address: string): Holder {
  let got = '';
  const session = http2.connect(`https://127.0.0.1:${fixture.gateway.port}`, { rejectUnauthorized: false });
  const stream = session.request({
    ':method': 'POST',
    ':path': '/mcp',
    'x-forwarded-for': address,
    'content-length': 4 * MIB,
  });
  stream
    .on('error', () => {})
    .on('response', (head) => {
      got = `${head[':status']} ${got}`;
    })
    .on('data', (chunk: Buffer) => {
      got += chunk.toString();
    });
  return {
    send: async (bytes) => stream.writable && new Promise((resolve) => stream.write(bytes, resolve)),
    got: () => got,
    close: () => session.destroy(),
  };
}

/** Sends all but the end. */
const hold = async (version: number, address: string, bytes = 4 * MIB - 6): Promise<Holder> => {
  const holder = version === 1 ? overHttp1(address) : overHttp2(address);
  await Promise.race([holder.send(Buffer.alloc(bytes, 0x20)), sleep(2_000, undefined, { ref: false })]);
  return holder;
};
const drip = (holders: readonly Holder[], bytes: number) => {
  const few = Buffer.alloc(bytes, 0x20);
  timers.push(setInterval(() => holders.forEach(({ send }) => void send(few)), 100));
};
const ask = (address: string) =>
  fixture.ask({ method: 'POST', path: '/mcp', headers: { 'x-forwarded-for': address }, body: BODY });

describe.each([1, 2])('HTTP/%d', (version) => {
  it('whoever comes later gets in, and one of those that hold is ended for it', async () => {
    await begin(version);
    const holders = await Promise.all(
      Array.from({ length: 8 }, (_, i) => hold(version, `198.51.100.${i}`, 4 * MIB - 200_000)),
    );
    // Not by their pace: they go on as fast as they must, and what they lack is more than that.
    drip(holders, 1_000);
    await sleep(500);
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => ask(`203.0.113.${i}`)));
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(10).fill(200));
    expect(holders.filter(({ got }) => /^503 [^]*overloaded/.test(got())).length).toBe(1);
    for (const { close } of holders) close();
  }, 20_000);

  it('a network has a share of the memory, and its own bodies are ended where it wants more', async () => {
    await begin(version);
    const holders: Holder[] = [];
    for (let i = 0; i < 4; i++) holders.push(await hold(version, '198.51.100.7'));
    await sleep(200);
    const ended = holders.map(({ got }) => got().startsWith('503 '));
    expect(ended.filter(Boolean)).toHaveLength(2);
    expect(ended.at(-1)).toBe(false);
    for (const { close } of holders) close();
  }, 20_000);

  it('what came at once is no credit for a byte now and then', async () => {
    await begin(version, { bodyIdleTimeoutSeconds: 1 });
    const began = performance.now();
    const holder = await hold(version, '198.51.100.7', 4 * MIB - 1_000);
    drip([holder], 1);
    while (holder.got() === '' && performance.now() - began < 10_000) await sleep(50);
    expect(holder.got()).toMatch(/^408 [^]*body_stalled/);
    expect(performance.now() - began).toBeLessThan(6_000);
    holder.close();
  }, 20_000);
});
