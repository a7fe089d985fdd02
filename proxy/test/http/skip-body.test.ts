/**
 * Node's parser hands out every chunk; of a body in too many pieces nothing is handed out any more, and nothing
 * else is lost by that.
 */
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { gatherPieces, isFragmented } from '../../src/http/gather-pieces.js';

const PIECES = 50_000;
const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const tiny = (pieces: number) => `${CHUNKED}${'1\r\nx\r\n'.repeat(pieces)}0\r\n\r\n`;

interface Seen {
  /** Calls of node:http's parser. */
  pieces: number;
  bytes: number;
  fragmented: boolean;
}
let server: http.Server;
let seen: Seen[];
beforeEach(async () => {
  seen = [];
  server = http.createServer((message, response) => {
    gatherPieces(message);
    const own: Seen = { pieces: 0, bytes: 0, fragmented: false };
    const push = message.push.bind(message);
    message.push = (piece: unknown) => {
      own.pieces += 1;
      return push(piece);
    };
    message
      .on('data', (chunk: Buffer) => (own.bytes += chunk.length))
      .on('end', () => {
        own.fragmented = isFragmented(message);
        seen.push(own);
        response.end('ok');
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));

/** Sends this on a connection of its own, until there are so many answers. */
const send = (text: string, answers: number) =>
  new Promise<void>((resolve, reject) => {
    let got = '';
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1', () => socket.write(text));
    socket.on('error', reject).on('close', () => resolve());
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString();
      if (got.split('HTTP/1.1 200').length > answers) socket.destroy();
    });
  });

it('few of its pieces come out of the parser', async () => {
  await send(tiny(PIECES), 1);
  expect(seen).toMatchObject([{ fragmented: true }]);
  expect(seen[0]!.pieces).toBeLessThan(PIECES / 20);
});

it('what follows on its connection is whole', async () => {
  await send(`${tiny(PIECES)}${tiny(100)}`, 2);
  expect(seen.slice(1)).toEqual([{ pieces: 101, bytes: 100, fragmented: false }]);
});

it('what comes on others is whole, also by the parser of a connection that went away in the midst', async () => {
  await new Promise<void>((resolve) => {
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1', () =>
      socket.write(CHUNKED + '1\r\nx\r\n'.repeat(PIECES), () => socket.destroy()),
    );
    socket.on('error', () => {}).on('close', () => resolve());
  });
  for (let i = 0; i < 3; i++) await send(tiny(200), 1);
  expect(seen).toEqual(Array(3).fill({ pieces: 201, bytes: 200, fragmented: false }));
});
