/**
 * Clients of HTTP/2 that do anything: requests good and bad, frames in any order, windows of nothing, resets, ends and
 * aborts at any moment, while answers large and small are on their way. node:http2 reads our connections by way of a
 * stream of ours (decision 26), and an assertion that fails in it ends the process. It lives, and serves the next.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { besiege, type Besieged } from './support/besieged.js';
import { block, FLAG, frame, FRAME, rawClient, request, type RawClient } from './support/http2.js';
import { ec } from './support/mint.js';

const CLIENTS = 200;
const AT_ONCE = 10;
const ACTS = 25;
const BODY = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const client = ec();

let state = 20_261_128;
/** The same acts in every run; what they meet differs. */
const below = (n: number): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};

interface Actor {
  readonly one: RawClient;
  readonly target: Besieged;
  next: number;
}
const anyStream = ({ next }: Actor) => 1 + 2 * below(1 + next / 2);
const word = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
};
const begin = (actor: Actor, fields: readonly (readonly [string, string])[], flags: number) => {
  actor.one.write(frame(FRAME.HEADERS, flags, actor.next, block(fields)));
  actor.next += 2;
};
const signed = ({ target }: Actor) =>
  request('POST', '/plain', Object.entries(target.credentials(client, '/plain')));
const WHOLE = FLAG.END_HEADERS | FLAG.END_STREAM;

const ACTIONS: readonly ((actor: Actor) => void | Promise<unknown>)[] = [
  (actor) => begin(actor, signed(actor), WHOLE),
  (actor) => {
    begin(actor, signed(actor), FLAG.END_HEADERS);
    actor.one.write(frame(FRAME.DATA, below(2), actor.next - 2, Buffer.from(BODY)));
  },
  (actor) => begin(actor, request('GET', '/healthz'), WHOLE),
  (actor) => begin(actor, request('GET', '/plain', [['x-a', 'a\0']]), WHOLE),
  (actor) => begin(actor, request('GET', '/plain', [['X-A', 'a']]), WHOLE),
  (actor) => begin(actor, request('GET', '/plain'), below(2)),
  (actor) =>
    actor.one.write(frame(FRAME.CONTINUATION, FLAG.END_HEADERS, anyStream(actor), Buffer.from([0x83]))),
  (actor) => actor.one.write(frame(FRAME.DATA, below(2), anyStream(actor), Buffer.alloc(below(2_000)))),
  (actor) => actor.one.write(frame(FRAME.RST_STREAM, 0, anyStream(actor), word(below(14)))),
  (actor) => actor.one.write(frame(FRAME.WINDOW_UPDATE, 0, anyStream(actor), word(below(3) * 1_000))),
  ({ one }) =>
    one.write(frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(below(2) * 500)]))),
  ({ one }) => one.write(frame(FRAME.PING, below(2), 0, Buffer.alloc(8))),
  ({ one }) => one.write(frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8))),
  ({ one }) => one.write(Buffer.from(Array.from({ length: 20 }, () => below(256)))),
  ({ one }) => one.socket.pause() && sleep(below(20)).then(() => one.socket.resume()),
  ({ one }) => void one.socket.end(),
  ({ one }) => void one.socket.destroy(),
  ({ one }) => void (one.socket as unknown as { resetAndDestroy(): void }).resetAndDestroy(),
  () => sleep(below(10)),
  () => sleep(below(10)),
];
/** The first five begin something; most others end a session, so that they are few. */
const anAction = () => ACTIONS[below(6) === 0 ? below(ACTIONS.length) : below(5)]!;

async function act(target: Besieged): Promise<void> {
  const one = await rawClient(target.gateway.port, undefined, below(2) === 0);
  one.socket.on('error', () => {});
  const actor = { one, target, next: 1 };
  for (let i = 0; i < ACTS && one.socket.writable; i++) await anAction()(actor);
  await sleep(below(50));
  one.socket.destroy();
}

let target: Besieged;
beforeAll(async () => {
  target = await besiege({
    http2: true,
    change: (config) => {
      config.limits = { ...config.limits, headersTimeoutSeconds: 1 };
    },
  });
}, 30_000);
afterAll(() => target.stop());

it('the gateway lives through whatever frames come', async () => {
  const honest = target.honest('/ruled', BODY);
  let left = CLIENTS;
  const lane = async () => {
    while (left-- > 0) await act(target).catch(() => {});
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const { asked, statuses } = await honest.stop();
  expect([target.gateway.child.exitCode, target.gateway.child.signalCode, statuses]).toEqual([
    null,
    null,
    [200],
  ]);
  expect(asked).toBeGreaterThan(0);
  // What they did was worth something only if much of it was a request, and much of it was not.
  const reasons = target.audit().map(({ reason }) => reason);
  expect(reasons.filter((reason) => reason === 'ok').length).toBeGreaterThan(CLIENTS);
  expect(reasons.filter((reason) => reason === 'malformed_request').length).toBeGreaterThan(CLIENTS);
}, 120_000);
