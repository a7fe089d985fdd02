/**
 * Only what the backends of chaos.test.ts cannot time: a connection that is reset when its answer is there as a
 * whole, and its client has not taken it yet.
 */
import { EventEmitter } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import type { Ending } from '../../src/upstream/open-answers.js';
import { relay } from '../../src/upstream/relay.js';

const BYTES = 16 << 20;

/** An answer of a backend, relayed to a client that does not read. */
async function slowly(
  complete: boolean,
  then: (end: (why: Ending) => void) => void,
): Promise<{ readonly bytes: number; readonly ended: (Ending | undefined)[] }> {
  const ended: (Ending | undefined)[] = [];
  const acted = new EventEmitter();
  const server = http.createServer((_, response) => {
    const answer = Object.assign(new PassThrough({ highWaterMark: BYTES }), {
      statusCode: 200,
      headers: {},
      complete,
    });
    const relayed = relay(
      answer,
      response,
      { headers: ['Content-Length', String(BYTES)], length: String(BYTES) },
      {
        flowing() {},
        ended: (why) => {
          ended.push(why);
        },
      },
    );
    answer.end(Buffer.alloc(BYTES));
    // By then the system has taken for the client what it takes.
    setTimeout(() => {
      then((why) => relayed.end(why));
      acted.emit('done');
    }, 100);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const bytes = await new Promise<number>((resolve) => {
      let got = 0;
      const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1', () =>
        socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
      );
      socket
        .on('data', (chunk) => {
          got += chunk.length;
        })
        .on('error', () => {})
        .on('close', () => resolve(got));
      socket.pause();
      acted.once('done', () => setTimeout(() => socket.resume(), 100));
    });
    return { bytes, ended };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

it('a client that is slow gets the whole of an answer whose backend is gone already', async () => {
  const { bytes, ended } = await slowly(true, (end) => end('backend_cut'));
  expect(bytes).toBeGreaterThan(BYTES);
  expect(ended).toEqual([undefined]);
});
it('an answer that is not whole is cut where its backend cut it', async () => {
  const { bytes, ended } = await slowly(false, (end) => end('backend_cut'));
  expect(bytes).toBeLessThan(BYTES);
  expect(ended).toEqual(['backend_cut']);
});
it.each<Ending>(['token_withdrawn', 'too_long', 'shutdown'])(
  'what the gateway itself ends, %s, ends also when the backend has sent it all',
  async (why) => {
    const { bytes, ended } = await slowly(true, (end) => end(why));
    expect(bytes).toBeLessThan(BYTES);
    expect(ended).toEqual([why]);
  },
);
