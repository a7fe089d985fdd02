/** A real OpenBao on the loopback, in memory, that knows the ServiceAccounts of a real API server. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../proxy/test/support/free-port.js';
import { makeCertificate } from '../../../proxy/test/support/http2.js';
import type { ApiServer, Json } from './api-server.js';
import { Daemon } from './daemon.js';
import { goProgram } from './go-program.js';

const READY_MS = 30_000;
/** Of the platform, whose ServiceAccount may ask the API server whose a token is. */
const NAMESPACE = 'openbao';

export interface OpenBao {
  readonly server: string;
  /** PEM, with which its certificate verifies. */
  readonly ca: string;
  readonly said: () => string;
  /** Of its HTTP API, as root; any answer but a good one is an error. */
  write(path: string, body: Json, method?: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startOpenBao(dir: string): Promise<OpenBao> {
  const { certFile, keyFile } = makeCertificate(dir, 'bao');
  const [port, root] = [await freePort(), randomUUID()];
  const daemon = new Daemon(goProgram('openbao'), [
    ...['-address', `127.0.0.1:${port}`, '-cert', certFile, '-key', keyFile],
    ...['-root-token', root],
  ]);
  const ca = readFileSync(certFile, 'utf8');
  const call = (method: string, path: string, body?: Json): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const headers = { 'x-vault-token': root };
      https
        .request({ host: '127.0.0.1', port, ca, method, path: `/v1/${path}`, headers }, (answer) => {
          let text = '';
          answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
          answer.once('end', () => resolve({ status: answer.statusCode!, text }));
        })
        .once('error', reject)
        .end(body === undefined ? undefined : JSON.stringify(body));
    });
  const end = performance.now() + READY_MS;
  while ((await call('GET', 'sys/health').catch(() => undefined))?.status !== 200) {
    if (performance.now() > end) {
      await daemon.stop();
      throw new Error(`OpenBao: not ready within ${READY_MS} ms: ${daemon.said.slice(-2000)}`);
    }
    await sleep(50);
  }
  return {
    server: `https://127.0.0.1:${port}`,
    ca,
    said: () => daemon.said,
    async write(path, body, method = 'POST') {
      const { status, text } = await call(method, path, body);
      if (status >= 300) throw new Error(`OpenBao: ${method} ${path}: ${status} ${text}`);
    },
    stop: () => daemon.stop(),
  };
}

/**
 * Lets ServiceAccounts log in by their tokens, as
 * https://openbao.org/docs/auth/kubernetes/ has it for one outside the cluster.
 */
export async function trustCluster(bao: OpenBao, api: ApiServer): Promise<void> {
  const account = { name: 'openbao', namespace: NAMESPACE };
  const subjects = [{ kind: 'ServiceAccount', ...account }];
  const roleRef = {
    apiGroup: 'rbac.authorization.k8s.io',
    kind: 'ClusterRole',
    name: 'system:auth-delegator',
  };
  const rbac = 'rbac.authorization.k8s.io/v1';
  for (const object of [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account },
    { apiVersion: rbac, kind: 'ClusterRoleBinding', metadata: { name: 'openbao' }, roleRef, subjects },
  ])
    await api.apply(object);
  const { text } = await api.call({
    method: 'POST',
    path: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${account.name}/token`,
    body: { spec: { expirationSeconds: 3600 } },
  });
  await bao.write('sys/auth/kubernetes', { type: 'kubernetes' });
  await bao.write('auth/kubernetes/config', {
    kubernetes_host: `https://127.0.0.1:${api.port}`,
    kubernetes_ca_cert: readFileSync(api.caFile, 'utf8'),
    token_reviewer_jwt: (JSON.parse(text) as { readonly status: { readonly token: string } }).status.token,
    disable_local_ca_jwt: true,
  });
}
