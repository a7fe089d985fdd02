/**
 * The fields of a header block are counted without decoding it, and the count decides whether HTTP/2's parser left one
 * out. So it must be the parser's own, for every way in which a block can be written (RFC 7541 6) and cut (RFC 9113
 * 4.1, 6.2, 6.10): blocks made at random, with and without one malformed field, go to the gateway.
 */
import { HeaderBlocks } from '../../src/http/header-blocks.js';
import { startFixture, type GatewayFixture } from '../support/gateway.js';
import { FLAG, frame, FRAME, rawClient, type RawClient } from '../support/http2.js';
import { until } from '../support/until.js';

const SESSIONS = 12;
const REQUESTS = 24;
const [PADDED, PRIORITY] = [0x8, 0x20];

let state = 20_261_128;
/** A linear congruential generator: the same cases in every run. */
const below = (n: number): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
const of = <T>(list: readonly T[]): T => list[below(list.length)]!;
const chance = (p: number) => below(1_000) < p * 1_000;

/** RFC 7541 5.1. */
function integer(first: number, prefixBits: number, n: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (n < most) return Buffer.from([first | n]);
  const bytes = [first | most];
  for (let left = n - most; ; left >>= 7) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left & 127) | 128);
  }
}
const text = (value: string): Buffer =>
  Buffer.concat([integer(0, 7, value.length), Buffer.from(value, 'latin1')]);
/** Of RFC 7541 C.4.3: custom-key and custom-value, in Huffman code. */
const [HUFFMAN_NAME, HUFFMAN_VALUE] = ['8825a849e95ba97d7f', '8925a849e95bb8e8b4bf'].map((hex) =>
  Buffer.from(hex, 'hex'),
) as [Buffer, Buffer];
const POST = Buffer.from([0x83]);
const HTTPS = Buffer.from([0x87]);
const pseudo = (): Buffer[] => [
  POST,
  of([HTTPS, Buffer.concat([integer(0x10, 4, 6), text('https')])]),
  Buffer.concat([integer(of([0x00, 0x10]), 4, 4), text('/mcp')]),
  Buffer.concat([integer(0x00, 4, 1), text('gw.example')]),
];
const name = () => `x-${'a'.repeat(of([1, 5, 124, 125, 126, 127, 300]))}`;
const value = () => 'v'.repeat(of([0, 1, 126, 127, 128, 254, 255, 256, 400]));
/** One field, and whether it goes into the table. */
const field = (): Buffer =>
  of([
    () => Buffer.concat([Buffer.from([0x00]), text(name()), text(value())]),
    () => Buffer.concat([Buffer.from([0x10]), text(name()), text(value())]),
    () => Buffer.concat([Buffer.from([0x40]), text(name()), text(value())]),
    () => Buffer.concat([Buffer.from([0x40]), HUFFMAN_NAME, HUFFMAN_VALUE]),
    () => Buffer.concat([Buffer.from([0x00]), HUFFMAN_NAME, text(value())]),
    // accept-language and via of the static table; an index of more than one byte, too.
    () => Buffer.concat([integer(0x40, 6, 17), HUFFMAN_VALUE]),
    () => Buffer.concat([integer(0x00, 4, 60), text(value())]),
    () => Buffer.concat([integer(0x10, 4, 60), HUFFMAN_VALUE]),
    // What the first request of the session put into the table, or what came after it.
    () => Buffer.from([0x80 | 62]),
  ])();
const MALFORMED = [
  Buffer.concat([Buffer.from([0x00]), text('x-b'), text('1\0')]),
  Buffer.concat([Buffer.from([0x40]), text('x-b'), text('1\r')]),
  Buffer.concat([Buffer.from([0x10]), text('x b'), text(value())]),
  Buffer.concat([Buffer.from([0x00]), text(''), HUFFMAN_VALUE]),
];

function blockOf(isGood: boolean): Buffer {
  const fields = Array.from({ length: below(12) }, field);
  if (!isGood) fields.splice(below(fields.length + 1), 0, of(MALFORMED));
  const sizeUpdates = chance(0.2) ? [integer(0x20, 5, of([4_096, 2_000]))] : [];
  const first = Buffer.concat([Buffer.from([0x40]), text('x-c'), text('1')]);
  return Buffer.concat([...sizeUpdates, ...pseudo(), first, ...fields]);
}

/** HEADERS, padded or not, and up to four CONTINUATION, empty ones among them. */
function framesOf(stream: number, block: Buffer): Buffer {
  const cuts = Array.from({ length: below(5) }, () => below(block.length + 1)).sort((a, b) => a - b);
  const parts = [0, ...cuts].map((at, i) => block.subarray(at, cuts[i] ?? block.length));
  const padding = chance(0.3) ? below(200) : undefined;
  const hasPriority = chance(0.3);
  const head = Buffer.concat([
    Buffer.from(padding === undefined ? [] : [padding]),
    Buffer.from(hasPriority ? [0, 0, 0, 0, 7] : []),
    parts[0]!,
    Buffer.alloc(padding ?? 0),
  ]);
  const end = (i: number) => (i === parts.length - 1 ? FLAG.END_HEADERS : 0);
  const flags =
    FLAG.END_STREAM | end(0) | (padding === undefined ? 0 : PADDED) | (hasPriority ? PRIORITY : 0);
  const more = parts.slice(1).map((part, i) => frame(FRAME.CONTINUATION, end(i + 1), stream, part));
  return Buffer.concat([frame(FRAME.HEADERS, flags, stream, head), ...more]);
}

/** In pieces of any size. */
function write({ write: send }: RawClient, bytes: Buffer): void {
  const size = of([1, 3, 50, 16_384]);
  for (let at = 0; at < bytes.length; at += size) send(bytes.subarray(at, at + size));
}

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({ http2: true });
});
afterAll(() => fixture.stop());

it('counts what the parser counts, of blocks in any shape and in any pieces', async () => {
  const want: string[] = [];
  for (let n = 0; n < SESSIONS; n++) {
    const one = await rawClient(fixture.gateway.port);
    for (let i = 0; i < REQUESTS; i++) {
      const isGood = chance(0.7);
      // Nobody signs them: the good ones get as far as that.
      want.push(isGood ? 'credentials_missing' : 'malformed_request');
      write(one, framesOf(1 + 2 * i, blockOf(isGood)));
      await until(() => one.frames().some((f) => f.type === FRAME.HEADERS && f.stream === 1 + 2 * i));
    }
    one.socket.destroy();
  }
  await until(async () => (await fixture.audit()).length >= want.length);
  expect((await fixture.audit()).map(({ reason }) => reason)).toEqual(want);
  expect(new Set(want).size).toBe(2);
}, 60_000);

describe('what one session can have remembered', () => {
  const dropped: string[] = [];
  let over = 0;
  const open = () => {
    dropped.length = over = 0;
    const blocks = new HeaderBlocks(
      { maxBytes: 1_000, maxRequests: 10 },
      { onDropped: (reason) => dropped.push(reason), onOver: () => (over += 1) },
    );
    blocks.fromClient(Buffer.alloc(24));
    return blocks;
  };
  const headers = (stream: number) => frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, POST);
  it('is bounded in requests that the parser does not show', () => {
    const blocks = open();
    for (let i = 0; i < 10; i++) expect(blocks.fromClient(headers(1 + 2 * i))).toBe(true);
    expect(blocks.fromClient(headers(21))).toBe(false);
    expect([dropped, over]).toEqual([Array(11).fill('too_many_ahead'), 1]);
  });
  it('is bounded in bytes of a block, however many frames it has', () => {
    const blocks = open();
    const part = Buffer.alloc(100, 0x80 | 62);
    blocks.fromClient(frame(FRAME.HEADERS, 0, 1, part));
    let frames = 1;
    while (blocks.fromClient(frame(FRAME.CONTINUATION, 0, 1, part))) frames += 1;
    expect([frames, dropped, over]).toEqual([10, ['too_many_headers'], 1]);
  });
  it('is nothing of what comes after GOAWAY, or after what it closed', () => {
    const blocks = open();
    for (let i = 0; i < 100; i++) {
      blocks.fromClient(headers(1 + 2 * i));
      blocks.closed(1 + 2 * i);
    }
    blocks.toClient(frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8)));
    for (let i = 100; i < 200; i++) expect(blocks.fromClient(headers(1 + 2 * i))).toBe(true);
    expect([dropped, over, blocks.shown(399, 1)]).toEqual([[], 0, 'dropped']);
  });
});
