// The two ends of the benchmark, each its own process: `backend PORT` answers, `bare PORT BACKEND ADMIN` only passes on.
import http from 'node:http';

const [role, port, backend, admin] = process.argv.slice(2);
const ANSWER = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}';

if (role === 'backend') {
  http.createServer({ keepAliveTimeout: 65_000 }, (message, response) => {
    message.on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length });
      response.end(ANSWER);
    }).resume();
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
