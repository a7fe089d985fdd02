/**
 * The Certificate that synth emits, carried out by the real controllers of cert-manager at a real API server, with the
 * shipped bundle serving what they write.
 */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { makeCertificate } from '../../../proxy/test/support/http2.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint } from '../../../proxy/test/support/mint.js';
import { missingForApiServer, startApiServer, type ApiServer, type Json } from '../support/api-server.js';
import { defineResources } from '../support/custom-resources.js';
import { Daemon, needs } from '../support/daemon.js';
import { goModule, goProgram, modulesNotServed } from '../support/go-program.js';
import { startMountedGateway, type MountedGateway } from '../support/mounted-gateway.js';
import { synthesized } from '../support/synthesized.js';

const UNTIL_MS = 60_000;
const PATH = '/mcp';

interface Manifest extends Json {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}
interface Condition {
  readonly type: string;
  readonly status: string;
}
interface Certificate {
  readonly metadata: { readonly generation: number };
  readonly status?: { readonly conditions?: readonly Condition[] };
}
interface Served {
  readonly status: number;
  /** Of the certificate, which verified. */
  readonly serial: string;
}

const issued = (name: string, kind: string, spec: object) => ({
  apiVersion: 'cert-manager.io/v1',
  kind,
  metadata: { name, namespace: 'aiops' },
  spec,
});
/** What whoever runs the cluster has: a CA, and an Issuer with its key. */
const PLATFORM = [
  issued('self-signed', 'Issuer', { selfSigned: {} }),
  issued('ca', 'Certificate', {
    isCA: true,
    commonName: 'ca',
    secretName: 'ca',
    privateKey: { algorithm: 'ECDSA' },
    issuerRef: { name: 'self-signed' },
  }),
  issued('internal', 'Issuer', { ca: { secretName: 'ca' } }),
];

const missing = missingForApiServer();
needs('a Certificate at the real cert-manager', missing);
const notServed = missing.length === 0 ? modulesNotServed('cert-manager') : [];
for (const why of notServed) it.skip(`a Certificate at the real cert-manager: ${why}`, () => {});
(missing.length + notServed.length === 0 ? describe : describe.skip)(
  'a Certificate at the real cert-manager',
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-cert-manager-'));
    const file = (name: string) => join(dir, name);
    const as = rsa();
    const client = ec();
    const backend = http.createServer((message, response) => {
      message.resume().on('end', () => response.end('{}'));
    });
    let api: ApiServer;
    let certManager: Daemon;
    let gateway: MountedGateway;

    const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
      const end = performance.now() + UNTIL_MS;
      for (;;) {
        const found = await look();
        if (found !== undefined) return found;
        if (performance.now() > end)
          throw new Error(
            `not within ${UNTIL_MS} ms: ${what}; cert-manager: ${certManager.said.slice(-3000)}`,
          );
        await sleep(100);
      }
    };
    const apply = async (objects: readonly Json[]) => {
      for (const object of objects) {
        const { status, text, warnings } = await api.apply(object);
        expect([object.kind, status >= 300 ? text : '', warnings]).toEqual([object.kind, '', []]);
      }
    };
    const certificates = '/apis/cert-manager.io/v1/namespaces/aiops/certificates';
    const certificate = async () =>
      JSON.parse((await api.call({ path: `${certificates}/agentgateway` })).text) as Certificate;
    const conditionsOf = ({ status }: Certificate) => status?.conditions ?? [];
    const isReady = async () =>
      conditionsOf(await certificate()).some(({ type, status }) => type === 'Ready' && status === 'True');
    /** PEM, by key. */
    const secret = async () => {
      const { status, text } = await api.call({ path: '/api/v1/namespaces/aiops/secrets/gateway-tls' });
      if (status !== 200) return undefined;
      const { data } = JSON.parse(text) as { readonly data: Readonly<Record<string, string>> };
      const pem = (key: string) => Buffer.from(data[key]!, 'base64').toString();
      return { ca: pem('ca.crt'), certificate: new X509Certificate(pem('tls.crt')), key: pem('tls.key') };
    };
    /** A new connection each time, to the name that clients inside the cluster dial. */
    const ask = (ca: string): Promise<Served> => {
      const { hostname, host } = new URL(gateway.origin);
      const token = accessToken(as, { cnf: { jkt: thumbprint(client) }, aud: 'gateway' }, { kid: 'as-1' });
      const headers = {
        host,
        authorization: `DPoP ${token}`,
        dpop: proof(client, 'POST', gateway.origin + PATH, token),
      };
      const to = { host: '127.0.0.1', port: gateway.process.port, servername: hostname, ca, agent: false };
      return new Promise((resolve, reject) => {
        https
          .request({ ...to, method: 'POST', path: PATH, headers }, (answer) => {
            const { serialNumber: serial } = (answer.socket as TLSSocket).getPeerCertificate();
            answer.resume().once('end', () => resolve({ status: answer.statusCode!, serial }));
          })
          .once('error', reject)
          .end('{}');
      });
    };

    beforeAll(async () => {
      const keys = { keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] };
      writeFileSync(file('as.json'), JSON.stringify(keys));
      await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
      mkdirSync(file('api'));
      api = await startApiServer({ dir: file('api') });
      const source = goModule('cert-manager', 'github.com/cert-manager/cert-manager');
      await defineResources(api, join(source, 'deploy', 'crds'));
      certManager = new Daemon(goProgram('cert-manager'), ['--kubeconfig', api.kubeconfig]);
      const manifests = synthesized<Manifest>('test/support/operators-app.ts', file('out'), file('as.json'));
      await apply(manifests);
      await apply(PLATFORM);
      await until('the Certificate is ready', async () => ((await isReady()) ? true : undefined));
      const { port: backendPort } = backend.address() as AddressInfo;
      gateway = await startMountedGateway({ api, manifests, dir, backendPort });
    }, 1_500_000);
    afterAll(async () => {
      await gateway?.process.stop();
      await certManager?.stop();
      await api?.stop();
      backend.close();
      rmSync(dir, { recursive: true, force: true });
    }, 60_000);

    it('becomes the Secret that the gateway serves with, for the names that clients dial', async () => {
      const { ca, certificate: made } = (await secret())!;
      expect(made.subjectAltName!.split(', ').sort()).toEqual([
        'DNS:agentgateway.aiops',
        'DNS:agentgateway.aiops.svc',
        'DNS:agentgateway.aiops.svc.cluster.local',
      ]);
      expect([made.publicKey.asymmetricKeyDetails, made.keyUsage]).toEqual([
        { namedCurve: 'prime256v1' },
        ['1.3.6.1.5.5.7.3.1'],
      ]);
      expect(await ask(ca)).toEqual({ status: 200, serial: made.serialNumber });
      const other = readFileSync(makeCertificate(dir, 'other').certFile, 'utf8');
      await expect(ask(other)).rejects.toThrow('unable to verify the first certificate');
    }, 90_000);

    it('is renewed, with a new key, and a request meets the new one: no restart, and none fails', async () => {
      const before = (await secret())!;
      // What `cmctl renew` writes.
      const { metadata, ...rest } = await certificate();
      const issuing = {
        type: 'Issuing',
        status: 'True',
        reason: 'ManuallyTriggered',
        message: 'Certificate re-issuance manually triggered',
        lastTransitionTime: new Date().toISOString(),
        observedGeneration: metadata.generation,
      };
      const asked = await api.call({
        method: 'PATCH',
        path: `${certificates}/agentgateway/status`,
        type: 'application/merge-patch+json',
        body: { status: { conditions: [...conditionsOf({ metadata, ...rest }), issuing] } },
      });
      expect(asked.status).toBe(200);
      const after = await until('another certificate is there', async () => {
        const now = (await secret())!;
        return now.certificate.serialNumber === before.certificate.serialNumber ? undefined : now;
      });
      expect([after.ca, after.key === before.key]).toEqual([before.ca, false]);
      expect(await ask(after.ca)).toEqual({ status: 200, serial: before.certificate.serialNumber });
      await gateway.sync();
      await until('it is served', async () => {
        const { status, serial } = await ask(after.ca);
        expect(status).toBe(200);
        return serial === after.certificate.serialNumber ? true : undefined;
      });
      expect(gateway.process.child.exitCode).toBeNull();
    }, 90_000);
  },
);
