// The floor of a siege, as a process of its own: a bare server of Node that answers every request at once and
// drops what comes behind its header block. What the honest client waits for beside the same attack here, no
// gateway takes from it.
//   floor.mjs PORT [CERT_FILE KEY_FILE]
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';

const [port, certFile, keyFile] = process.argv.slice(2);
const answer = (message, response) => {
  message.on('error', () => {}).resume();
  response.on('error', () => {});
  if (message.method === 'GET')
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
  else response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
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
