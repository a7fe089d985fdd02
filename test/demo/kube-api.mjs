// Stands in for the Kubernetes API on loopback: TLS by a CA of its own, one bearer token, the Secrets it is told.
// Usage: kube-api.mjs PORT DIR UPSTREAM_LOG NAMESPACE/NAME...
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';

const [port, dir, log, ...secrets] = process.argv.slice(2);
const read = (name) => readFileSync(join(dir, name), 'utf8');

createServer({ key: read('kube.key'), cert: read('kube.crt') }, (request, response) => {
  const { method, url: path, headers } = request;
  appendFileSync(log, `${JSON.stringify({ backend: 'kubernetes', method, path, headers })}\n`);
  const answer = (code, body) =>
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const status = (code, reason) =>
    answer(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code });
  if (request.headers.authorization !== `Bearer ${read('token')}`) return status(401, 'Unauthorized');
  const [, namespace, name] =
    /^\/api\/v1\/namespaces\/([a-z0-9-]+)\/secrets\/([a-z0-9.-]+)$/.exec(request.url) ?? [];
  if (name === undefined) return status(403, 'Forbidden');
  if (!secrets.includes(`${namespace}/${name}`)) return status(404, 'NotFound');
  answer(200, {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: { name, namespace },
    type: 'Opaque',
    data: { password: Buffer.from('correct horse').toString('base64') },
  });
}).listen(Number(port), '127.0.0.1');
