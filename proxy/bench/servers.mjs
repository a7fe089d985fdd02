// The two ends of the benchmark, each its own process: `backend PORT` answers, `bare PORT BACKEND ADMIN` only
// passes on, `bytes PORT BACKEND ADMIN` passes on without knowing that it is HTTP.
import http from 'node:http';
import net from 'node:net';
import { startBackend } from './backend.mjs';

const [role, port, backend, admin] = process.argv.slice(2);
if (role === 'backend') {
  startBackend(Number(port));
} else {
  if (role === 'bytes') passBytes();
  else passRequests();
  http
    .createServer((_, response) => {
      const { user, system } = process.cpuUsage();
      response.end(String((user + system) / 1e6));
    })
    .listen(Number(admin), '127.0.0.1');
}

function passRequests() {
  const agent = new http.Agent({ keepAlive: true });
  http
    .createServer({ keepAliveTimeout: 65_000 }, (message, response) => {
      const out = http.request(
        {
          host: '127.0.0.1',
          port: Number(backend),
          path: message.url,
          method: message.method,
          headers: message.headers,
          agent,
        },
        (answer) => {
          response.writeHead(answer.statusCode, answer.headers);
          answer.pipe(response);
        },
      );
      message.pipe(out);
    })
    .listen(Number(port), '127.0.0.1');
}

/**
 * The least that stands between two sockets: a connection to the backend for each of a client, and every piece
 * as it came.
 */
function passBytes() {
  net
    .createServer({ noDelay: true }, (socket) => {
      const out = net.connect({ port: Number(backend), host: '127.0.0.1', noDelay: true });
      socket
        .on('data', (chunk) => {
          out.write(chunk);
        })
        .on('close', () => out.destroy())
        .on('error', () => {});
      out
        .on('data', (chunk) => {
          socket.write(chunk);
        })
        .on('close', () => socket.destroy())
        .on('error', () => {});
    })
    .listen(Number(port), '127.0.0.1');
}
