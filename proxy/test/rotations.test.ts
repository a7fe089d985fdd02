/**
 * What is mounted, as kubelet swaps it: the new is in use at once, and what is no good leaves the one before in
 * use, is said, and is counted.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { ORIGIN, request, startFixture, type GatewayFixture } from './support/gateway.js';
import { startKube, type Kube } from './support/kube.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { Volume } from '../../test/e2e/support/volume.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-rotations-'));
const client = ec();
const NONCE_KEYS = [1, 2, 3].map((n) => `nonce-key-${n}-`.padEnd(40, 'k'));
let fixture: GatewayFixture;
let kube: Kube;
const pairs = new Map<string, { readonly 'tls.crt': string; readonly 'tls.key': string }>();
const volume = {
  tls: undefined as unknown as Volume,
  token: undefined as unknown as Volume,
  nonce: undefined as unknown as Volume,
};
const at = (name: keyof typeof volume, file: string) => join(dir, name, file);

beforeAll(async () => {
  for (const name of ['one', 'two', 'three']) {
    const files = [join(dir, `${name}.crt`), join(dir, `${name}.key`)] as const;
    execFileSync(
      'openssl',
      [
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
        `/CN=${name}`,
        '-keyout',
        files[1],
        '-out',
        files[0],
      ],
      { stdio: 'pipe' },
    );
    pairs.set(name, { 'tls.crt': readFileSync(files[0], 'utf8'), 'tls.key': readFileSync(files[1], 'utf8') });
  }
  mkdirSync(join(dir, 'kube'));
  kube = await startKube(join(dir, 'kube'));
  volume.tls = new Volume(join(dir, 'tls'), pairs.get('one')!);
  volume.token = new Volume(join(dir, 'token'), { token: kube.token });
  volume.nonce = new Volume(join(dir, 'nonce'), { keys: NONCE_KEYS[0]! });
  fixture = await startFixture({
    change: (config) => {
      const { auth } = config.routes[0]!;
      config.listen = {
        ...config.listen!,
        tls: { certFile: at('tls', 'tls.crt'), keyFile: at('tls', 'tls.key') },
      };
      config.routes.push(
        {
          kind: 'secrets',
          name: 'secrets',
          pathPrefix: '/secrets',
          auth,
          backend: {
            url: `https://127.0.0.1:${kube.port}`,
            caFile: kube.caFile,
            tokenFile: at('token', 'token'),
            namespace: 'aiops',
            secretNames: ['db'],
          },
        },
        {
          ...config.routes[0]!,
          name: 'nonce',
          pathPrefix: '/nonce',
          auth: { ...auth, nonce: { keys: { file: at('nonce', 'keys') } } },
        } as (typeof config.routes)[number],
      );
    },
  });
}, 20_000);
afterAll(async () => {
  await fixture.stop();
  await kube.stop();
  rmSync(dir, { recursive: true, force: true });
});

interface Ask {
  readonly method?: string;
  readonly nonce?: string;
}
/** On a connection of its own; also the name in the certificate of the gateway. */
const ask = (path: string, { method = 'POST', nonce }: Ask = {}) =>
  new Promise<{ status: number; nonce: string | undefined; certificate: string }>((resolve, reject) => {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
    const dpop = proof(client, method, ORIGIN + path, token, {
      claims: nonce === undefined ? {} : { nonce },
    });
    const socket = tls.connect(
      { host: '127.0.0.1', port: fixture.gateway.port, rejectUnauthorized: false },
      () => {
        socket.write(
          `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n` +
            `Content-Length: 0\r\nAuthorization: DPoP ${token}\r\nDPoP: ${dpop}\r\n\r\n`,
        );
      },
    );
    let got = '';
    const certificate = () => String(socket.getPeerX509Certificate()?.subject);
    let subject = '';
    socket
      .on('secureConnect', () => {
        subject = certificate();
      })
      .on('data', (chunk) => {
        got += chunk.toString();
      })
      .on('error', reject)
      .on('close', () =>
        resolve({
          status: Number(got.slice(9, 12)),
          nonce: /^dpop-nonce: (\S+)/im.exec(got)?.[1],
          certificate: subject,
        }),
      );
  });
const counts = async (what: string) => {
  const { text } = await request(fixture.gateway.adminPort, { path: '/metrics' });
  return ['ok', 'refused'].map((result) =>
    Number(
      text
        .split('\n')
        .find((l) => l.startsWith(`agentgateway_reloads_total{what="${what}",result="${result}"} `))
        ?.split(' ')[1] ?? 0,
    ),
  );
};
/** How often what was swapped in was taken, and refused. */
async function swapped(what: string, swap: () => void): Promise<number[]> {
  const before = await counts(what);
  fixture.warnings.length = 0;
  swap();
  fixture.gateway.refresh();
  return (await counts(what)).map((count, i) => count - before[i]!);
}

describe('the certificate', () => {
  const subject = async () => (await ask('/mcp')).certificate;
  it('is the new one for every connection after the swap, and nothing of it is refused', async () => {
    expect(await subject()).toBe('CN=one');
    const [ok, refused] = await swapped('certificate', () => volume.tls.swap(pairs.get('two')!));
    expect(await subject()).toBe('CN=two');
    expect(ok).toBeGreaterThanOrEqual(1);
    expect([refused, fixture.warnings]).toEqual([0, []]);
  });
  it.each([
    [
      'of which the halves do not fit',
      () => ({ 'tls.crt': pairs.get('three')!['tls.crt'], 'tls.key': pairs.get('one')!['tls.key'] }),
    ],
    ['that is no PEM', () => ({ ...pairs.get('three')!, 'tls.crt': 'no certificate' })],
    [
      'whose key is cut off',
      () => ({ ...pairs.get('three')!, 'tls.key': pairs.get('three')!['tls.key'].slice(0, 60) }),
    ],
    ['that is empty', () => ({ 'tls.crt': '', 'tls.key': '' })],
  ])('%s leaves the one before in use, and the next good one is taken', async (_, files) => {
    const before = await subject();
    try {
      const [ok, refused] = await swapped('certificate', () => volume.tls.swap(files()));
      expect(ok).toBe(0);
      expect(refused).toBeGreaterThanOrEqual(1);
      expect(fixture.warnings.join()).toContain('the pair read before stays in use');
      expect(await ask('/mcp')).toMatchObject({ status: 200, certificate: before });
    } finally {
      await swapped('certificate', () => volume.tls.swap(pairs.get('three')!));
    }
    expect(await subject()).toBe('CN=three');
  });
});

describe('the ServiceAccount token', () => {
  const tokens = async () => {
    kube.seen.length = 0;
    const { status } = await ask('/secrets/db', { method: 'GET' });
    return [status, ...kube.seen.map(({ headers }) => (headers as Record<string, string>).authorization)];
  };
  it('is the new one after the swap', async () => {
    expect(await tokens()).toEqual([200, 'Bearer sa-token-1']);
    kube.token = 'sa-token-2';
    expect(await swapped('credential', () => volume.token.swap({ token: 'sa-token-2\n' }))).toEqual([1, 0]);
    expect(await tokens()).toEqual([200, 'Bearer sa-token-2']);
  });
  it.each([
    ['empty', ''],
    ['of two lines', 'a\nb\n'],
    ['with a carriage return in it', 'a\rX-Evil: 1'],
    ['not ASCII', 'tökén'],
  ])('%s leaves the one before in use', async (_, token) => {
    expect(await swapped('credential', () => volume.token.swap({ token }))).toEqual([0, 1]);
    expect(fixture.warnings.join()).toContain('the one read before stays in use');
    expect(await tokens()).toEqual([200, 'Bearer sa-token-2']);
  });
  it('that is gone leaves the one before in use', async () => {
    expect((await swapped('credential', () => volume.token.swap({})))[1]).toBe(1);
    expect(await tokens()).toEqual([200, 'Bearer sa-token-2']);
  });
});

describe('nonce keys', () => {
  it('are the new ones after the swap, and what the ones before made is still good', async () => {
    const { nonce: old } = await ask('/nonce');
    expect((await ask('/nonce', { nonce: old! })).status).toBe(200);
    expect(await swapped('nonce_keys', () => volume.nonce.swap({ keys: `${NONCE_KEYS[1]}\n` }))).toEqual([
      1, 0,
    ]);
    const { nonce } = await ask('/nonce');
    for (const made of [old, nonce]) expect((await ask('/nonce', { nonce: made! })).status).toBe(200);
  });
  it.each([
    ['an empty file', ''],
    ['a short line', `${NONCE_KEYS[2]}\nshort\n`],
    ['a line twice', `${NONCE_KEYS[2]}\n${NONCE_KEYS[2]}\n`],
  ])('of %s leave those before in use', async (_, keys) => {
    const { nonce } = await ask('/nonce');
    expect(await swapped('nonce_keys', () => volume.nonce.swap({ keys }))).toEqual([0, 1]);
    expect(fixture.warnings.join()).toContain('the keys read before stay in use');
    expect((await ask('/nonce', { nonce: nonce! })).status).toBe(200);
  });
});
