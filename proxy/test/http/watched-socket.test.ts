import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { WatchedSocket } from '../../src/http/watched-socket.js';
import { until } from '../support/until.js';

/** Stands for a TLSSocket, as far as a WatchedSocket uses one. */
class Connection extends Duplex {
  endedByUs = false;
  readonly written: Buffer[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.written.push(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.endedByUs = true;
    done();
  }

  destroySoon(): void {
    this.destroy();
  }
}

function watch() {
  const connection = new Connection({ allowHalfOpen: true });
  const socket = new WatchedSocket(connection as unknown as TLSSocket, {
    fromClient: () => true,
    toClient: () => {},
  });
  const events: string[] = [];
  const got: string[] = [];
  socket.on('end', () => events.push('end')).on('close', () => events.push('close'));
  return { connection, socket, events, got };
}

it('a client that ends its side is gone, and node:http2 is told of no end to answer with one of ours', async () => {
  const { connection, socket, events } = watch();
  socket.resume();
  socket.write('an answer');
  connection.push(null);
  await until(() => events.length > 0);
  expect(events).toEqual(['close']);
  expect(connection.endedByUs).toBe(false);
  expect(connection.written.join('')).toBe('an answer');
  expect(connection.destroyed).toBe(true);
});

it('what it sent before is read first', async () => {
  const { connection, socket, events, got } = watch();
  connection.push('a request');
  connection.push(null);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(events).toEqual([]);
  socket.on('data', (chunk: Buffer) => got.push(chunk.toString()));
  await until(() => events.length > 0);
  expect([got.join(''), events]).toEqual(['a request', ['close']]);
});
