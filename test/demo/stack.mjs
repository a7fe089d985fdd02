// The demo's stack on loopback: keys, a real MCP server, a TLS stand-in for the Kubernetes API, and the shipped
// bundle as a process of its own, with the config that the demo app's manifests hold. Only addresses, file
// paths and the time to drain are changed; what is enforced is what was synthesized.
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const READY_MS = 10_000;

/** Runs one of the project's tools; what it prints goes to stderr, since stdout may be promised to one line of JSON. */
const tool = (command, args) =>
  execFileSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, CDK8S_CHECK_UPGRADE: 'false' },
  });

/**
 * `bundled: true` uses the bundle that lies there, if one does. The manifests are always made anew: what runs
 * is what the sources say.
 */
export function build({ bundled = false } = {}) {
  const bin = (name) => join(root, 'node_modules', '.bin', name);
  if (!bundled || !existsSync(join(root, 'assets', 'manifest.json'))) {
    tool(process.execPath, [join(root, 'proxy', 'bundle.mjs')]);
    tool(bin('tsc'), ['-p', join(root, 'proxy', 'tsconfig.types.json')]);
  }
  tool(bin('cdk8s'), ['synth']);
}

/** config.json out of the ConfigMap that the demo's Deployment mounts. */
function synthesizedConfig() {
  const file = join(root, 'manifests', 'demo.k8s.yaml');
  if (!existsSync(file)) throw new Error(`${file}: is missing; run "npm run synth"`);
  const objects = parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS());
  const found = objects.filter((o) => o?.kind === 'ConfigMap' && o.data?.['config.json'] !== undefined);
  if (found.length !== 1)
    throw new Error(`${file}: must hold one ConfigMap with config.json, got ${found.length}`);
  return JSON.parse(found[0].data['config.json']);
}

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A CA of our own and a certificate of it for 127.0.0.1. */
function certificates(file) {
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  writeFileSync(file('san.ext'), 'subjectAltName=IP:127.0.0.1\n');
  openssl(
    'req',
    '-x509',
    ...ec,
    '-days',
    '1',
    '-subj',
    '/CN=demo-ca',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.crt'),
  );
  openssl('req', ...ec, '-subj', '/CN=kubernetes', '-keyout', file('kube.key'), '-out', file('kube.csr'));
  openssl(
    'x509',
    '-req',
    '-in',
    file('kube.csr'),
    '-CA',
    file('ca.crt'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-days',
    '1',
    '-extfile',
    file('san.ext'),
    '-out',
    file('kube.crt'),
  );
}

/** One RSA key an issuer: the private half stays with the callers, the public half is what the gateway trusts. */
function issuerKeys(file, name, kid) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(file(`${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(
    file(`${name}.jwks.json`),
    JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] }),
  );
}

/**
 * Starts everything and waits until the gateway is ready. `info` is the line that --hold --json prints; `stop`
 * ends all processes and removes all files. A start that fails cleans up after itself; `onExit` hears of a
 * process that ends by itself, and whoever listens must still `stop` the others.
 */
export async function startStack({ onExit = () => {} } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'agw-demo-'));
  const file = (name) => join(dir, name);
  const children = [];
  let stopping = false;
  let death;

  const stop = async () => {
    stopping = true;
    await Promise.all(
      children.map(
        (child) =>
          new Promise((resolve) => {
            if (child.exitCode !== null || child.signalCode !== null) return resolve();
            child.once('exit', resolve);
            child.kill('SIGTERM');
            setTimeout(() => child.kill('SIGKILL'), 3000).unref();
          }),
      ),
    );
    rmSync(dir, { recursive: true, force: true });
  };
  const start = (name, args) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said = (said + chunk).slice(-4000);
    });
    child.once('exit', (code, signal) => {
      if (stopping) return;
      death = `${name} ended with ${signal ?? code}: ${said}`;
      onExit(death);
    });
    children.push(child);
    return { child, said: () => said };
  };

  try {
    const [gatewayPort, adminPort, mcpPort, kubePort] = await freePorts(4);
    const origin = `http://127.0.0.1:${gatewayPort}`;
    const config = synthesizedConfig();
    certificates(file);
    writeFileSync(file('token'), randomBytes(24).toString('base64url'), { mode: 0o600 });
    writeFileSync(file('upstream.jsonl'), '');
    writeFileSync(file('audit.jsonl'), '');

    config.listen = { host: '127.0.0.1', port: gatewayPort };
    config.admin = { host: '127.0.0.1', port: adminPort };
    config.publicOrigins = [origin];
    config.audit = { file: file('audit.jsonl') };
    config.drainSeconds = 1;
    for (const issuer of config.issuers) {
      issuerKeys(file, issuer.name, 'demo-key-1');
      issuer.jwks = { file: file(`${issuer.name}.jwks.json`) };
    }
    const secrets = config.routes.flatMap(({ kind, backend }) =>
      kind === 'secrets' ? backend.secretNames.map((name) => `${backend.namespace}/${name}`) : [],
    );
    for (const { kind, backend } of config.routes) {
      if (kind === 'mcp') backend.url = `http://127.0.0.1:${mcpPort}`;
      else
        Object.assign(backend, {
          url: `https://127.0.0.1:${kubePort}`,
          caFile: file('ca.crt'),
          tokenFile: file('token'),
        });
    }
    writeFileSync(file('config.json'), JSON.stringify(config, null, 2));

    start('mcp server', [join(here, 'mcp-server.mjs'), String(mcpPort), file('upstream.jsonl')]);
    start('kubernetes api', [
      join(here, 'kube-api.mjs'),
      String(kubePort),
      dir,
      file('upstream.jsonl'),
      ...secrets,
    ]);
    const began = performance.now();
    const gateway = start('gateway', [
      join(root, 'assets', 'proxy.mjs'),
      'serve',
      '--config',
      file('config.json'),
    ]);
    const ready = async (url) => (await fetch(url).catch(() => undefined))?.ok === true;
    for (const url of [`http://127.0.0.1:${adminPort}/readyz`, `http://127.0.0.1:${mcpPort}/ready`]) {
      while (!(await ready(url))) {
        if (death !== undefined) throw new Error(death);
        if (performance.now() - began > READY_MS)
          throw new Error(
            `${url}: not ready after ${READY_MS / 1000} s; the gateway says: ${gateway.said()}`,
          );
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    const info = {
      gateway: origin,
      publicOrigin: origin,
      metrics: `http://127.0.0.1:${adminPort}/metrics`,
      config: file('config.json'),
      auditLog: file('audit.jsonl'),
      upstreamLog: file('upstream.jsonl'),
      routes: config.routes.map((route) => {
        const issuer = config.issuers.find(({ name }) => name === route.auth.issuers[0]);
        return {
          name: route.name,
          path: route.pathPrefix,
          methods: route.methods ?? (route.kind === 'mcp' ? ['POST', 'GET', 'DELETE'] : ['GET', 'HEAD']),
          profile: route.auth.profile,
          issuer: issuer.issuer,
          audience: route.auth.audiences[0],
          key: file(`${issuer.name}.pem`),
          kid: 'demo-key-1',
          alg: 'RS256',
          ...(route.kind === 'secrets' ? { secret: route.backend.secretNames[0] } : {}),
        };
      }),
    };
    return { info, stop, readyMs: Math.round(performance.now() - began), gatewayPid: gateway.child.pid };
  } catch (cause) {
    await stop();
    throw cause;
  }
}
