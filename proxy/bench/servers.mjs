// The two ends of the benchmark, each its own process: `backend PORT` answers, `bare PORT BACKEND ADMIN` only passes on.
import http from 'node:http';
import net from 'node:net';

const [role, port, backend, admin] = process.argv.slice(2);
const ANSWER = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}';

const RESPONSE = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${ANSWER.length}\r\n\r\n${ANSWER}`);

if (role === 'backend') {
  // Cheaper than an HTTP server on purpose: two cores are shared, and what is measured is the proxy between.
  net.createServer({ noDelay: true }, (socket) => {
    let pending = '';
    let size = 0;
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      if (pending === '' && chunk.length === size) return void socket.write(RESPONSE); // the usual request again, in one piece
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
  }).listen(Number(port), '127.0.0.1');
} else {
  const agent = new http.Agent({ keepAlive: true });
  http.createServer({ keepAliveTimeout: 65_000 }, (message, response) => {
    const out = http.request({ host: '127.0.0.1', port: Number(backend), path: message.url, method: message.method, headers: message.headers, agent }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    message.pipe(out);
  }).listen(Number(port), '127.0.0.1');
  http.createServer((_, response) => {
    const { user, system } = process.cpuUsage();
    response.end(String((user + system) / 1e6));
  }).listen(Number(admin), '127.0.0.1');
}
