// The two ends of the benchmark, each its own process: `backend PORT` answers, `bare PORT BACKEND ADMIN` only passes on.
import http from 'node:http';
import { startBackend } from './backend.mjs';

const [role, port, backend, admin] = process.argv.slice(2);
if (role === 'backend') {
  startBackend(Number(port));
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
