/**
 * A body of 1.18 MB in chunks of one byte is 7 MB on the wire. Each piece that a parser hands out is an object of
 * several hundred bytes, so whoever keeps the pieces, for a decision or for a backend, holds half a gigabyte: one such
 * request ended a process with a heap of 128 MB, with no credentials where a route has rules and lets strangers in, and
 * twenty requests of an authenticated caller did on any route. DATA frames of HTTP/2 can be as small.
 */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { besiege, type Besieged } from '../support/besieged.js';
import { block, FLAG, frame, FRAME, rawClient, request } from '../support/http2.js';
import { ec } from '../support/mint.js';

const BODY = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const PIECES = 1_180_000;
/** Of one thread, and each further one; below what a pod has for them, which is 256 and 64. */
const MOST_MEBIBYTES = (threads: number) => 200 + 50 * (threads - 1);
const client = ec();

const lines = (headers: Record<string, string>) =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
/** How long an attack goes on at most, whatever becomes of the gateway. */
const ATTACK_MS = 10_000;
/** Writes while the other side takes it. */
const pour = async (socket: net.Socket, bytes: Buffer, times: number) => {
  const end = performance.now() + ATTACK_MS;
  for (let i = 0; i < times && socket.writable && performance.now() < end; i++)
    if (!socket.write(bytes)) await Promise.race([new Promise((r) => socket.once('drain', r)), sleep(1_000)]);
};

/** Resolves when the gateway answered or left, or when the attack is over. @returns whether it was the gateway */
type Attacker = (target: Besieged, path: string, headers: Record<string, string>) => Promise<boolean>;

const overHttp1: Attacker = async ({ gateway }, path, headers) => {
  const socket = net.connect(gateway.port, '127.0.0.1').on('error', () => {});
  let isOver = false;
  const over = new Promise((resolve) => socket.once('data', resolve).once('close', resolve)).then(() => {
    isOver = true;
  });
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: gw.example\r\nTransfer-Encoding: chunked\r\n${lines(headers)}\r\n`,
  );
  await Promise.race([over, pour(socket, Buffer.from('1\r\nx\r\n'.repeat(10_000)), PIECES / 10_000)]);
  await Promise.race([over, sleep(1_000)]);
  socket.destroy();
  return isOver;
};
const overHttp2: Attacker = async ({ gateway }, path, headers) => {
  const { socket, write, frames } = await rawClient(gateway.port);
  socket.on('error', () => {});
  write(frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, block(request('POST', path, Object.entries(headers)))));
  const answered = async () => {
    const ends: number[] = [FRAME.HEADERS, FRAME.RST_STREAM];
    const end = performance.now() + ATTACK_MS;
    const isOver = () => socket.destroyed || frames().some(({ type }) => ends.includes(type));
    while (performance.now() < end && !isOver()) await sleep(20);
    return isOver();
  };
  // What a window of 256 KiB lets through.
  const pieces = Buffer.concat(
    Array.from({ length: 5_000 }, () => frame(FRAME.DATA, 0, 1, Buffer.from('x'))),
  );
  const [isOver] = await Promise.all([answered(), pour(socket, pieces, 52)]);
  socket.destroy();
  return isOver;
};

type Client = (
  target: Besieged,
  path: string,
  headers: Record<string, string>,
  body: string,
) => Promise<void>;

/** Pieces of one byte, a few of them a packet. Resolves when the backend has the body. */
const slowlyOverHttp1: Client = async ({ gateway, seen }, path, headers, body) => {
  const socket = net.connect(gateway.port, '127.0.0.1').on('error', () => {});
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: gw.example\r\nTransfer-Encoding: chunked\r\n${lines(headers)}\r\n`,
  );
  for (const few of body.match(/.{1,50}/g)!) {
    socket.write([...few].map((letter) => `1\r\n${letter}\r\n`).join(''));
    await sleep(2);
  }
  socket.write('0\r\n\r\n');
  for (let i = 0; i < 250 && seen.length === 0; i++) await sleep(20);
  socket.destroy();
};
const slowlyOverHttp2: Client = async ({ gateway, seen }, path, headers, body) => {
  const { socket, write } = await rawClient(gateway.port);
  write(frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, block(request('POST', path, Object.entries(headers)))));
  for (const few of body.match(/.{1,50}/g)!) {
    write(...[...few].map((letter) => frame(FRAME.DATA, 0, 1, Buffer.from(letter))));
    await sleep(2);
  }
  write(frame(FRAME.DATA, FLAG.END_STREAM, 1));
  for (let i = 0; i < 250 && seen.length === 0; i++) await sleep(20);
  socket.destroy();
};

describe.each([
  ['HTTP/1.1', { http2: false, workers: 1 }, overHttp1, slowlyOverHttp1],
  ['HTTP/1.1, two threads', { http2: false, workers: 2 }, overHttp1, slowlyOverHttp1],
  ['HTTP/2, two threads', { http2: true, workers: 2 }, overHttp2, slowlyOverHttp2],
])('bodies in pieces of one byte, %s', (_, kind, attack, slowly) => {
  let target: Besieged;
  beforeAll(async () => {
    target = await besiege(kind);
  }, 30_000);
  afterAll(() => target.stop());

  it.each([
    ['of strangers, for a decision', '/open', () => ({})],
    ['of a caller, for a decision', '/ruled', () => target.credentials(client, '/ruled')],
    ['of a caller, for the backend', '/plain', () => target.credentials(client, '/plain')],
  ])(
    '%s: they are refused, and take neither memory nor an answer from others',
    async (__, path, credentials) => {
      expect(target.gateway.child.exitCode).toBeNull();
      const before = target.audit().length;
      const honest = target.honest('/ruled', BODY);
      const ended = await Promise.all(Array.from({ length: 20 }, () => attack(target, path, credentials())));
      const { asked, statuses } = await honest.stop();
      expect(target.gateway.child.exitCode).toBeNull();
      expect(statuses).toEqual([200]);
      expect(asked).toBeGreaterThan(0);
      expect(ended).toEqual(Array<boolean>(20).fill(true));
      expect(target.peakMebibytes()).toBeLessThan(MOST_MEBIBYTES(kind.workers));
      const ends = () =>
        target
          .audit()
          .slice(before)
          .filter((record) => record['response.status'] !== 200)
          // A stream that goes on before it is checked is reset; its client is gone then.
          .map((record) =>
            record['response.status'] === 499 && kind.http2 ? 'body_fragmented' : record.reason,
          );
      for (let i = 0; i < 100 && ends().length < 20; i++) await sleep(50);
      expect(ends()).toEqual(Array<string>(20).fill('body_fragmented'));
    },
    40_000,
  );

  it('a body in small pieces, but not that many, goes through as it was', async () => {
    const long = BODY.replace('}', `,"params":{"x":"${'x'.repeat(1_500)}"}}`);
    target.seen.length = 0;
    await slowly(target, '/plain', target.credentials(client, '/plain'), long);
    expect(target.seen.map(String)).toEqual([long]);
  });
});
