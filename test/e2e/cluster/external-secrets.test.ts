/**
 * The SecretStore and ExternalSecret that synth emits, carried out by the real External Secrets Operator at a real API
 * server, from a real OpenBao, with the shipped bundle sending what they write to its backend.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../../../proxy/test/support/gateway.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint } from '../../../proxy/test/support/mint.js';
import { missingForApiServer, startApiServer, type ApiServer, type Json } from '../support/api-server.js';
import { defineResources } from '../support/custom-resources.js';
import { Daemon, needs } from '../support/daemon.js';
import { goModule, goProgram, modulesNotServed } from '../support/go-program.js';
import { startMountedGateway, type MountedGateway } from '../support/mounted-gateway.js';
import { startOpenBao, trustCluster, type OpenBao } from '../support/openbao.js';
import { synthesized } from '../support/synthesized.js';

const UNTIL_MS = 60_000;
const PATH = '/mcp';
const [FIRST, SECOND] = ['first-credential', 'second-credential'];
/** Of the store, as the platform keeps it: one entry, for the gateway's ServiceAccount alone. */
const ENTRY = 'secret/data/aiops/mcp';
const ROLE = {
  bound_service_account_names: ['agentgateway-sa'],
  bound_service_account_namespaces: ['aiops'],
  audience: 'openbao',
  token_policies: ['gateway'],
};

interface Manifest extends Json {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: Json;
}
interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

const missing = missingForApiServer();
needs('an ExternalSecret at the real operator', missing);
const notServed = missing.length === 0 ? modulesNotServed('external-secrets', 'openbao') : [];
for (const why of notServed) it.skip(`an ExternalSecret at the real operator: ${why}`, () => {});
(missing.length + notServed.length === 0 ? describe : describe.skip)(
  'an ExternalSecret at the real operator',
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-external-secrets-'));
    const file = (name: string) => join(dir, name);
    const as = rsa();
    const client = ec();
    const received: (string | undefined)[] = [];
    const backend = http.createServer((message, response) => {
      received.push(message.headers.authorization);
      message.resume().on('end', () => response.end('{}'));
    });
    let api: ApiServer;
    let bao: OpenBao;
    let operator: Daemon;
    let gateway: MountedGateway;
    let manifests: readonly Manifest[];

    const until = async (what: string, is: () => Promise<boolean>) => {
      const end = performance.now() + UNTIL_MS;
      while (!(await is())) {
        if (performance.now() > end)
          throw new Error(`not within ${UNTIL_MS} ms: ${what}; the operator: ${operator.said.slice(-3000)}`);
        await sleep(100);
      }
    };
    const apply = async (objects: readonly Json[]) => {
      for (const object of objects) {
        const { status, text, warnings } = await api.apply(object);
        expect([object.kind, status >= 300 ? text : '', warnings]).toEqual([object.kind, '', []]);
      }
    };
    /** Of an object of the operator. */
    const readiness = async (resource: string, name: string): Promise<Condition | undefined> => {
      const path = `/apis/external-secrets.io/v1/namespaces/aiops/${resource}/${name}`;
      const { status } = JSON.parse((await api.call({ path })).text) as {
        readonly status?: { readonly conditions?: readonly Condition[] };
      };
      return status?.conditions?.find(({ type }) => type === 'Ready');
    };
    const secret = async () => {
      const { status, text } = await api.call({ path: '/api/v1/namespaces/aiops/secrets/agentgateway-mcp' });
      if (status !== 200) return undefined;
      const { data } = JSON.parse(text) as { readonly data: { readonly value: string } };
      return Buffer.from(data.value, 'base64').toString();
    };
    const keep = (token: string) => bao.write(ENTRY, { data: { token } });
    /** Status of a request with a proof of its own. */
    const ask = async () => {
      const token = accessToken(as, { cnf: { jkt: thumbprint(client) }, aud: 'gateway' }, { kid: 'as-1' });
      const headers = {
        host: new URL(gateway.origin).host,
        authorization: `DPoP ${token}`,
        dpop: proof(client, 'POST', gateway.origin + PATH, token),
      };
      return (await request(gateway.process.port, { method: 'POST', path: PATH, headers, body: '{}' }))
        .status;
    };

    beforeAll(async () => {
      const keys = { keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] };
      writeFileSync(file('as.json'), JSON.stringify(keys));
      await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
      mkdirSync(file('api'));
      api = await startApiServer({ dir: file('api') });
      bao = await startOpenBao(dir);
      await trustCluster(bao, api);
      await bao.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } });
      await bao.write('sys/policies/acl/gateway', { policy: `path "${ENTRY}" { capabilities = ["read"] }` });
      await bao.write('auth/kubernetes/role/gateway', ROLE);
      await until('the store takes entries', () =>
        keep(FIRST).then(
          () => true,
          () => false,
        ),
      );

      const source = goModule('external-secrets', 'github.com/external-secrets/external-secrets');
      await defineResources(api, join(source, 'deploy', 'crds'));
      operator = new Daemon(goProgram('external-secrets'), ['--metrics-addr', '0'], {
        KUBECONFIG: api.kubeconfig,
      });
      manifests = synthesized('test/support/operators-app.ts', file('out'), file('as.json'), bao.server);
      const ca = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'bao-ca', namespace: 'aiops' } };
      await apply([...manifests, { ...ca, data: { 'ca.crt': bao.ca } }]);
    }, 1_500_000);
    afterAll(async () => {
      await gateway?.process.stop();
      await operator?.stop();
      await bao?.stop();
      await api?.stop();
      backend.close();
      rmSync(dir, { recursive: true, force: true });
    }, 60_000);

    it('becomes the Secret whose value the gateway sends, read with a token of its own ServiceAccount', async () => {
      await until('the Secret is there', async () => (await secret()) !== undefined);
      expect(await secret()).toBe(FIRST);
      expect(await readiness('externalsecrets', 'agentgateway-mcp')).toMatchObject({
        status: 'True',
        reason: 'SecretSynced',
      });
      const { port: backendPort } = backend.address() as AddressInfo;
      gateway = await startMountedGateway({ api, manifests, dir, backendPort });
      expect([await ask(), received]).toEqual([200, [`Bearer ${FIRST}`]]);
    }, 90_000);

    it('is changed in the store: the new value is in the Secret, and in a request, with no restart', async () => {
      await keep(SECOND);
      await until('the Secret has it', async () => (await secret()) === SECOND);
      await gateway.sync();
      await until('a request has it', async () => {
        expect(await ask()).toBe(200);
        return received.at(-1) === `Bearer ${SECOND}`;
      });
      expect(gateway.process.child.exitCode).toBeNull();
    }, 90_000);

    it('keeps the Secret where the entry vanished from the store', async () => {
      await bao.write('secret/metadata/aiops/mcp', {}, 'DELETE');
      await until(
        'the operator has seen it',
        async () => (await readiness('externalsecrets', 'agentgateway-mcp'))?.status === 'False',
      );
      expect([await secret(), await ask(), received.at(-1)]).toEqual([SECOND, 200, `Bearer ${SECOND}`]);
    }, 90_000);

    it('gets nothing by another ServiceAccount of the namespace', async () => {
      const store = manifests.find(({ kind }) => kind === 'SecretStore')!;
      const text = JSON.stringify({ ...store, metadata: { name: 'others', namespace: 'aiops' } });
      await apply([JSON.parse(text.replace('"agentgateway-sa"', '"default"')) as Json]);
      await until(
        'it is refused',
        async () => (await readiness('secretstores', 'others'))?.status === 'False',
      );
      expect(operator.said).toContain('service account name not authorized');
      expect(await readiness('secretstores', 'openbao-backend')).toMatchObject({ status: 'True' });
    }, 90_000);
  },
);
