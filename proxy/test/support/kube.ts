/**
 * A TLS server with its own CA that answers as the Kubernetes API does for Secrets; the demo has one of its
 * own, CI has the protocol in common.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface Kube {
  readonly port: number;
  readonly caFile: string;
  readonly tokenFile: string;
  readonly seen: {
    readonly method: string;
    readonly url: string;
    readonly headers: https.Agent | Record<string, unknown>;
  }[];
  /** Status for everything, where set. */
  status: number | undefined;
  /** The one token it takes. */
  token: string;
  /** Runs when a request is there, before it is answered. */
  beforeAnswer: (() => Promise<void>) | undefined;
  stop(): Promise<void>;
}

export async function startKube(dir: string): Promise<Kube> {
  const file = (name: string) => join(dir, name);
  writeFileSync(file('leaf.ext'), 'subjectAltName=IP:127.0.0.1\n');
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=test-ca',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.crt'),
  );
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=kube',
    '-keyout',
    file('kube.key'),
    '-out',
    file('kube.csr'),
  );
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
    file('leaf.ext'),
    '-out',
    file('kube.crt'),
  );
  writeFileSync(file('token'), 'sa-token-1');
  const server = https.createServer(
    { key: readFileSync(file('kube.key')), cert: readFileSync(file('kube.crt')) },
    (message, response) => void answer(message, response),
  );
  const statusOf = ({ headers, url }: IncomingMessage): number => {
    if (headers.authorization !== `Bearer ${kube.token}`) return 401;
    return url === '/api/v1/namespaces/aiops/secrets/db' ? 200 : 404;
  };
  const answer = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    kube.seen.push({ method: message.method!, url: message.url!, headers: message.headers });
    await kube.beforeAnswer?.();
    const status = kube.status ?? statusOf(message);
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Audit-Id': 'theirs',
      'X-Kubernetes-Pf-Flowschema-Uid': 'internal',
    });
    response.end(
      status === 200
        ? '{"kind":"Secret","data":{"password":"aHVudGVyMg=="}}'
        : '{"kind":"Status","message":"secrets \\"db\\" is forbidden to the gateway"}',
    );
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const kube: Kube = {
    port: (server.address() as AddressInfo).port,
    caFile: file('ca.crt'),
    tokenFile: file('token'),
    seen: [],
    status: undefined,
    token: 'sa-token-1',
    beforeAnswer: undefined,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return kube;
}
