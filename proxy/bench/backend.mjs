// The backend of the benchmarks. Cheaper than an HTTP server on purpose: the cores are shared, and what is
// measured is the proxy in front.
import net from 'node:net';

const ANSWER = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}';
const RESPONSE = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${ANSWER.length}\r\n\r\n${ANSWER}`,
);

/** Resolves with its port. */
export function startBackend(port = 0) {
  const server = net.createServer({ noDelay: true }, (socket) => {
    let pending = '';
    let size = 0;
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      // the usual request again, in one piece
      if (pending === '' && chunk.length === size) return void socket.write(RESPONSE);
      pending += chunk.toString('latin1');
      size = 0;
      for (;;) {
        const head = pending.indexOf('\r\n\r\n');
        if (head === -1) return;
        const length = Number(/^content-length: (\d+)/im.exec(pending.slice(0, head))?.[1] ?? 0);
        if (pending.length < head + 4 + length) return;
        if (pending.length === chunk.length && pending.length === head + 4 + length) size = pending.length;
        pending = pending.slice(head + 4 + length);
        socket.write(RESPONSE);
      }
    });
  });
  return new Promise((resolve) =>
    server.listen(port, '127.0.0.1', () =>
      resolve({ port: server.address().port, close: () => server.close() }),
    ),
  );
}
