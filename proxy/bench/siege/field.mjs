// The ground of a siege: a gateway started as its pod starts it, what stands behind it, and a look at what it costs.
import { execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, get, here, sleep } from '../bed.mjs';
import { jwksOf, newIssuerKey } from './credentials.mjs';

export const ORIGIN = 'https://gw.example';
const ROOT = join(here, '..', '..');
const READY_MS = 15_000;
/** Of /proc, where Linux counts a hundred ticks a second. */
const MS_PER_TICK = 10;

/** What does not change from attack to attack. */
export function openField() {
  const dir = mkdtempSync(join(tmpdir(), 'agw-siege-'));
  const issuerPem = newIssuerKey();
  const jwksFile = join(dir, 'jwks.json');
  writeFileSync(jwksFile, jwksOf(issuerPem));
  writeFileSync(join(dir, 'secret'), 'introspection-secret');
  const [certFile, keyFile] = [join(dir, 'edge.crt'), join(dir, 'edge.key')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  const subject = ['-subj', '/CN=gw.example', '-keyout', keyFile, '-out', certFile];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject], { stdio: 'pipe' });
  return { dir, issuerPem, jwksFile, certFile, keyFile, close: () => rmSync(dir, { recursive: true }) };
}

/** What the constructs give a gateway of one thread and of two: flags of node, memory of the pod, config. */
export function podsOf(jwksFile) {
  const script = join(ROOT, 'test', 'support', 'gateway-pod.ts');
  const tsNode = join(ROOT, 'node_modules', 'ts-node', 'dist', 'bin.js');
  const printed = execFileSync(process.execPath, [tsNode, '-T', script, jwksFile], { cwd: ROOT });
  return JSON.parse(printed.toString());
}

export async function startBackend() {
  const child = fork(join(here, 'siege', 'backend.mjs'), [], {
    env: { ...process.env, SIEGE_AUDIENCE: `${ORIGIN}/mcp` },
  });
  const [ports] = await once(child, 'message');
  return { ...ports, pid: child.pid, close: () => child.kill() };
}

/** The config of the pod with what only this machine has: ports, files, and what the attack is about. */
function configOf(attack, { pod, field, backend, port, adminPort, http2 }) {
  const { config } = pod;
  const issuer = { ...config.issuers[0], jwks: { file: field.jwksFile } };
  if (attack.introspection)
    issuer.introspection = {
      url: `http://127.0.0.1:${backend.introspection}`,
      clientId: 'gateway',
      clientSecret: { file: join(field.dir, 'secret') },
    };
  const route = { ...config.routes[0], backend: { url: `http://127.0.0.1:${backend.mcp}` } };
  // As many streams as connections: what the pod must survive is not spared it by the bounds of a backend.
  const { upstream } = config;
  const streams = attack.mostStreams ? { maxStreams: config.limits.maxConnections } : {};
  if (attack.rules) route.allow = [{ method: 'tools/list' }];
  const tls = { certFile: field.certFile, keyFile: field.keyFile };
  return {
    ...config,
    listen: { ...config.listen, host: '127.0.0.1', port, ...(http2 ? { tls } : {}) },
    admin: { ...config.admin, host: '127.0.0.1', port: adminPort },
    issuers: [issuer],
    upstream: { ...upstream, ...streams },
    // Nothing was used before this process: a client need not wait out the start of its store.
    replay: { ...config.replay, epochMarginSeconds: 0 },
    routes: [route],
    audit: { file: join(field.dir, 'audit.jsonl') },
  };
}

/** Free ones; what is free twice in a row may be the same. */
async function twoPorts() {
  const first = await freePort();
  for (;;) {
    const second = await freePort();
    if (second !== first) return [first, second];
  }
}

/** Starts a gateway; resolves when it is ready. */
export async function startGateway(attack, { pod, field, backend, http2, assets }) {
  const [port, adminPort] = await twoPorts();
  const config = configOf(attack, { pod, field, backend, port, adminPort, http2 });
  const configFile = join(field.dir, 'config.json');
  writeFileSync(configFile, JSON.stringify(config));
  const args = [...pod.nodeFlags, join(assets, 'proxy.mjs'), 'serve', '--config', configFile];
  const env = { ...process.env, ...Object.fromEntries(pod.env.map(({ name, value }) => [name, value])) };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-2_000);
  });
  const began = performance.now();
  while ((await get(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined))?.status !== 200) {
    if (child.exitCode !== null || performance.now() - began > READY_MS)
      throw new Error(`the gateway did not get ready: ${said}`);
    await sleep(20);
  }
  await sleep(1000 - (Date.now() % 1000)); // what was made in the second in which its store began does not pass
  return { child, port, adminPort, config, configFile, said: () => said };
}

/**
 * The most that a process had in memory; undefined: it is gone. Buffers of sockets are the kernel's and are not
 * in it.
 */
export function peakMebibytes({ pid }) {
  try {
    const kib = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Math.round(Number(kib) / 1024);
  } catch {
    return undefined;
  }
}

/** A bare reverse proxy in the gateway's place. */
export async function startFloor({ field, backend, tls }) {
  const port = await freePort();
  const files = tls ? [field.certFile, field.keyFile] : [];
  const child = fork(join(here, 'siege', 'floor.mjs'), [String(port), String(backend.mcp), ...files]);
  await once(child, 'message');
  return { child, port };
}

/** CPU that a process has used so far, in ms; undefined: it is gone. */
export function cpuMillis({ pid }) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return undefined;
  }
}

/** CPU that all processes of the machine have used so far, in ms; what a hypervisor takes is in it. */
export function machineCpuMillis() {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]
    .split(/\s+/);
  return [user, nice, system, irq, softirq, steal].reduce(
    (sum, ticks) => sum + Number(ticks) * MS_PER_TICK,
    0,
  );
}

/** An attack in a process of its own. Each order resolves when it is done. */
export function startAttacker(name) {
  const child = fork(join(here, 'siege', 'attacker.mjs'), [name]);
  const order = async (word, target) => {
    child.send({ order: word, target });
    const [answer] = await once(child, 'message');
    if (answer.failed !== undefined) throw new Error(`${name}, ${word}: ${answer.failed}`);
    return answer.tally;
  };
  return { order, pid: child.pid, close: () => child.kill('SIGKILL') };
}
