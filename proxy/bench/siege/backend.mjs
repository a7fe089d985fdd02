// What stands behind the gateway in a siege, as a process of its own: an MCP server, and an authorization
// server that takes its time to introspect. `?unread`: the server does not read the body. `?big`: its answer is
// 64 KiB. A GET gets an event stream that stays open.
import http from 'node:http';

const INTROSPECTION_MS = 800;
const ANSWER = '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}';
const BIG = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { text: 'x'.repeat(65_536) } });

const mcp = http.createServer((message, response) => {
  response.on('error', () => {});
  if (message.url.endsWith('?unread')) return;
  if (message.method === 'GET' && !message.url.endsWith('?big')) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
    return;
  }
  message.resume().on('end', () => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(message.url.endsWith('?big') ? BIG : ANSWER);
  });
});
/** `good.<thumbprint>.<anything>` is active, everything else is not. */
const introspection = http.createServer((message, response) => {
  let form = '';
  message.on('data', (chunk) => {
    form += chunk;
  });
  message.on('end', () => {
    const [kind, jkt] = (new URLSearchParams(form).get('token') ?? '').split('.');
    const exp = Math.floor(Date.now() / 1000) + 300;
    const claims = { active: true, iss: 'https://as.example', sub: jkt, client_id: 'honest', exp };
    const said =
      kind === 'good'
        ? { ...claims, token_type: 'DPoP', aud: process.env.SIEGE_AUDIENCE, cnf: { jkt } }
        : { active: false };
    setTimeout(() => {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(said));
    }, INTROSPECTION_MS);
  });
});
const portOf = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port)));

process.send({ mcp: await portOf(mcp), introspection: await portOf(introspection) });
process.on('disconnect', () => process.exit(0));
