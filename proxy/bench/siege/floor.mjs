// The floor of a siege, as a process of its own: a bare reverse proxy of Node. It passes on what asks for no more than
// a small body, answers everything else at once, and drops what comes behind its header block. What the honest client
// waits for beside the same attack here, no gateway of Node takes from it.
//   floor.mjs PORT BACKEND_PORT [CERT_FILE KEY_FILE]
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';

const [port, backendPort, certFile, keyFile] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });
const SMALL_BODY_BYTES = 1_024;
const CONTENT = { 'Content-Type': 'application/json' };

const answer = (message, response) => {
  const { method, url, headers } = message;
  message.on('error', () => {});
  response.on('error', () => {});
  const length = Number(headers['content-length'] ?? (method === 'GET' ? 0 : Infinity));
  if (length > SMALL_BODY_BYTES) {
    message.resume();
    return void response.writeHead(200, CONTENT).end('{}');
  }
  const passed = http.request({ port: backendPort, method, path: url, agent, headers: CONTENT }, (its) => {
    response.writeHead(its.statusCode, { 'Content-Type': its.headers['content-type'] ?? 'text/plain' });
    its.pipe(response);
  });
  passed.on('error', () => response.destroy());
  response.on('close', () => passed.destroy());
  message.pipe(passed);
};
const server =
  certFile === undefined
    ? http.createServer(answer)
    : http2.createSecureServer(
        { allowHTTP1: true, cert: readFileSync(certFile), key: readFileSync(keyFile) },
        answer,
      );
server.on('sessionError', () => {}).on('clientError', (_, socket) => socket.destroy());
server.listen(Number(port), '127.0.0.1', 4096, () => process.send('ready'));
process.on('disconnect', () => process.exit(0));
