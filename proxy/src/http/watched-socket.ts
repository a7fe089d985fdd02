import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

export interface Watch {
  /** @returns whether whoever reads may have it; else nothing more is handed on */
  readonly fromClient: (chunk: Buffer) => boolean;
  readonly toClient: (chunk: Buffer) => void;
}

/**
 * A connection whose bytes somebody looks at first, in both directions. Of a TLSSocket that it gets itself node:http2
 * takes the bytes from where JavaScript does not see them.
 */
export class WatchedSocket extends Duplex {
  readonly #socket: TLSSocket;
  readonly #watch: Watch;
  #clientEnded = false;

  constructor(socket: TLSSocket, watch: Watch) {
    super();
    this.#socket = socket;
    this.#watch = watch;
    socket
      .on('data', (chunk: Buffer) => {
        if (!watch.fromClient(chunk) || !this.push(chunk)) socket.pause();
      })
      .on('end', () => {
        this.#clientEnded = true;
        this.#endWhenRead();
      })
      .on('error', (cause: Error) => this.destroy(cause))
      .on('close', () => this.destroy());
  }

  override _read(): void {
    if (!this.#clientEnded) this.#socket.resume();
  }

  override read(size?: number): Buffer | null {
    const chunk = super.read(size) as Buffer | null;
    this.#endWhenRead();
    return chunk;
  }

  /**
   * A client that has ended its side is gone, once what it sent is read. An `end` would make node:http2 shut down our
   * side, too, and a stream that is reset while that is on its way trips an assertion of Node (24.21,
   * JSStreamSocket.doWrite), which ends the process.
   */
  #endWhenRead(): void {
    if (this.#clientEnded && this.readableLength === 0) this.destroy();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (cause?: Error | null) => void): void {
    this.#watch.toClient(chunk);
    this.#socket.write(chunk, done);
  }

  override _writev(
    chunks: readonly { readonly chunk: Buffer }[],
    done: (cause?: Error | null) => void,
  ): void {
    this.#socket.cork();
    for (const [i, { chunk }] of chunks.entries()) {
      this.#watch.toClient(chunk);
      this.#socket.write(chunk, i === chunks.length - 1 ? done : undefined);
    }
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(cause: Error | null, done: (cause: Error | null) => void): void {
    // What was written goes out first.
    this.#socket.destroySoon();
    done(cause);
  }
}
