/**
 * The shipped bundle as a process, fed with secrets in every place where one can stand: nothing that it writes,
 * anywhere, holds one of them.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../proxy/src/config/index.js';
import { ORIGIN, request, type Ask } from '../../proxy/test/support/gateway.js';
import { startKube, type Kube } from '../../proxy/test/support/kube.js';
import {
  accessToken,
  ec,
  encode,
  jwkOf,
  jws,
  proof,
  rsa,
  selfSignedToken,
  sha256,
  thumbprint,
  type Pair,
} from '../../proxy/test/support/mint.js';
import { startGatewayProcess, type GatewayProcess } from './support/gateway-process.js';

const HTU = `${ORIGIN}/mcp`;
const NONCE_KEY = 'CANARY-nonce-key'.padEnd(40, 'n');
/** In what is logged: it shows that a search of ours finds what is there. */
const PLANTED = 'PLANTED-subject';
const client = ec();

describe.each(['a file', 'standard output'])('with the audit log on %s', (place) => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-canary-'));
  const file = (name: string) => join(dir, name);
  const [as, self] = [rsa(), rsa()];
  /** Every secret that was sent, mounted or answered. */
  const secrets = new Set<string>();
  let backend: http.Server;
  let kube: Kube;
  let gateway: GatewayProcess;
  let metrics = '';

  const secret = (name: string): string => {
    const text = `CANARY-${name}-${Math.random().toString(36).slice(2)}`;
    secrets.add(text);
    secrets.add(Buffer.from(text).toString('base64').replace(/=+$/, ''));
    return text;
  };
  /** All parts of a compact JWS, and its hash. */
  const guarded = (compact: string): string => {
    for (const part of compact.split('.')) if (part.length > 20) secrets.add(part);
    secrets.add(sha256(compact));
    return compact;
  };
  const setOf = (pair: Pair, kid: string, more: object = {}) =>
    JSON.stringify({ keys: [{ ...jwkOf(pair), kid, alg: 'RS256', use: 'sig', ...more }] });
  const hits = (needles: Iterable<string>): string[] => {
    const written: Record<string, string> = {
      stdout: gateway.wrote(),
      stderr: gateway.said(),
      metrics,
      audit: place === 'a file' ? readFileSync(file('audit.jsonl'), 'utf8') : '',
    };
    return [...needles].flatMap((needle) =>
      Object.entries(written)
        .filter(([, text]) => text.includes(needle))
        .map(([where]) => `${needle} in ${where}`),
    );
  };

  const token = (
    claims: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
    pair: Pair = as,
  ) =>
    guarded(
      accessToken(
        pair,
        {
          cnf: { jkt: thumbprint(client) },
          sub: PLANTED,
          private: secret('claim'),
          email: secret('email'),
          ...claims,
        },
        { ...header },
      ),
    );
  interface Shape {
    readonly path?: string;
    readonly query?: string;
    readonly at?: string;
    readonly htu?: string;
    readonly claims?: Record<string, unknown>;
    readonly header?: Record<string, unknown>;
    readonly pair?: Pair;
    readonly body?: string;
  }
  const signed = ({
    path = '/mcp',
    query = '',
    at = token(),
    htu,
    claims,
    header,
    pair = client,
    body = `{"text":"${secret('body')}"}`,
  }: Shape = {}): Ask => ({
    method: 'POST',
    path: path + query,
    body,
    headers: {
      authorization: `DPoP ${at}`,
      dpop: guarded(
        proof(pair, 'POST', htu ?? ORIGIN + path, at, {
          claims: { extra: secret('proof-claim'), ...claims },
          ...(header === undefined ? {} : { header }),
        }),
      ),
      cookie: `session=${secret('cookie')}`,
      'x-api-key': secret('client-key'),
      'x-unknown': secret('field'),
      'proxy-authorization': `Basic ${secret('proxy')}`,
      'content-length': String(Buffer.byteLength(body)),
    },
  });
  const get = (path: string): Ask => {
    const at = token();
    return {
      path,
      headers: {
        authorization: `DPoP ${at}`,
        dpop: guarded(proof(client, 'GET', ORIGIN + path.split('?')[0]!, at)),
      },
    };
  };
  const raw = (text: string) =>
    new Promise<void>((resolve) => {
      const socket = net.connect(gateway.port, '127.0.0.1', () => socket.write(text, 'latin1'));
      socket
        .on('error', () => {})
        .on('close', () => resolve())
        .resume();
      setTimeout(() => socket.destroy(), 200);
    });
  const ask = async (what: Ask) => (await request(gateway.port, what)).status;

  beforeAll(async () => {
    mkdirSync(file('kube'));
    kube = await startKube(file('kube'));
    secrets.add('hunter2').add('aHVudGVyMg').add('sa-token-1').add(NONCE_KEY).add('CANARY-nonce-key');
    backend = http.createServer((message, response) =>
      message.resume().on('end', () => {
        const failing = message.url!.startsWith('/self');
        response
          .writeHead(failing ? 500 : 200, {
            'Set-Cookie': `b=${secret('set-cookie')}`,
            'X-Backend': secret('answer-field'),
          })
          .end(`{"answer":"${secret('answer')}"}`);
      }),
    );
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    writeFileSync(file('as.json'), setOf(as, 'as-1'));
    writeFileSync(file('self.json'), setOf(self, 'my-key-1'));
    writeFileSync(file('credential'), secret('credential'));
    writeFileSync(file('nonce-keys'), NONCE_KEY);
    const auth = { profile: 'dpop' as const, issuers: ['as'], audiences: [HTU] };
    const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
    const credential = { kind: 'file' as const, file: file('credential'), header: 'x-api-key', prefix: '' };
    const config: ConfigInput = {
      version: 1,
      publicOrigins: [ORIGIN],
      replay: { store: 'memory' },
      drainSeconds: 1,
      ...(place === 'a file' ? { audit: { file: file('audit.jsonl') } } : {}),
      issuers: [
        { name: 'as', issuer: 'https://as.example', jwks: { file: file('as.json') } },
        { name: 'self', issuer: 'my-app-aiops', jwks: { file: file('self.json') } },
      ],
      routes: [
        { kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth, backend: { url, credential } },
        {
          kind: 'mcp',
          name: 'permissive',
          pathPrefix: '/permissive',
          auth: { ...auth, mode: 'permissive' },
          backend: { url, credential },
        },
        {
          kind: 'mcp',
          name: 'inside',
          pathPrefix: '/inside',
          auth,
          backend: { url, credential: { kind: 'verifiedToken' } },
        },
        {
          kind: 'mcp',
          name: 'nonce',
          pathPrefix: '/nonce',
          auth: { ...auth, nonce: { keys: { file: file('nonce-keys') } } },
          backend: { url },
        },
        {
          kind: 'mcp',
          name: 'ruled',
          pathPrefix: '/ruled',
          auth,
          allow: [{ method: 'ping' }],
          backend: { url },
        },
        {
          kind: 'mcp',
          name: 'self',
          pathPrefix: '/self',
          auth: { profile: 'selfSigned', issuers: ['self'], audiences: ['mcp-gateway'] },
          backend: { url },
        },
        {
          kind: 'secrets',
          name: 'secrets',
          pathPrefix: '/secrets',
          auth,
          backend: {
            url: `https://127.0.0.1:${kube.port}`,
            caFile: kube.caFile,
            tokenFile: kube.tokenFile,
            namespace: 'aiops',
            secretNames: ['db', 'tls'],
            secretKeys: { tls: ['key'] },
          },
        },
      ],
    };
    gateway = await startGatewayProcess(config, { dir, name: 'gateway' });
  }, 20_000);
  afterAll(async () => {
    gateway.child.kill('SIGKILL');
    await kube.stop();
    backend.closeAllConnections();
    backend.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('good requests, refused ones, malformed ones, a reload and a stop leave no trace of a secret', async () => {
    const query = () => `?key=${secret('query')}`;
    // Good.
    const once = signed({ query: query() });
    expect(await ask(once)).toBe(200);
    for (const path of ['/inside', '/permissive'])
      expect(await ask(signed({ path, query: query() }))).toBe(200);
    expect(await ask(signed({ htu: `${HTU}?key=${secret('htu-query')}#${secret('htu-fragment')}` }))).toBe(
      200,
    );
    const claims = { private: secret('self-claim') };
    const ownToken = guarded(selfSignedToken(self, 'POST', `${ORIGIN}/self`, claims));
    expect(
      await ask({
        method: 'POST',
        path: `/self${query()}`,
        headers: {
          authorization: `Bearer ${ownToken}`,
        },
      }),
    ).toBe(500);
    expect(await ask(get(`/secrets/db${query()}`))).toBe(200);
    // Refused.
    expect(await ask(once)).toBe(401);
    const refused: Ask[] = [
      signed({ at: token({}, {}, rsa()) }),
      signed({ at: token({ exp: 1 }) }),
      signed({ at: token({ iss: 'https://other.example' }) }),
      signed({ at: token({ aud: 'https://other.example' }) }),
      signed({ at: token({ cnf: undefined }) }),
      signed({ at: token({}, { typ: secret('typ') }) }),
      signed({ at: token({}, { kid: secret('kid') }) }),
      signed({ at: token({}, { extra: secret('jws-header') }) }),
      signed({ at: secret('opaque') }),
      signed({ pair: ec() }),
      signed({ claims: { htm: 'PUT' } }),
      signed({ htu: `${ORIGIN}/other?key=${secret('wrong-htu-query')}` }),
      signed({ claims: { ath: secret('ath') } }),
      signed({ claims: { iat: 1 } }),
      signed({ header: { jwk: { ...jwkOf(client), d: secret('private-key') } } }),
      signed({ header: { alg: 'none' } }),
      signed({ header: { crit: [secret('crit')] } }),
      signed({ path: '/nonce' }),
      signed({ path: '/nonce', claims: { nonce: secret('nonce') } }),
      signed({
        path: '/ruled',
        body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":"${secret('arguments')}"}}`,
      }),
      signed({ path: '/ruled', body: `{"method":${secret('bad-json')}` }),
      { method: 'POST', path: '/mcp', headers: { authorization: `Basic ${secret('basic')}` } },
      { method: 'POST', path: '/mcp', headers: { authorization: secret('bare') } },
      {
        method: 'POST',
        path: '/mcp',
        headers: { authorization: `DPoP ${secret('dpop-token')}`, dpop: secret('no-proof') },
      },
      { method: 'POST', path: `/mcp?access_token=${secret('token-in-query')}` },
      {
        method: 'POST',
        path: '/mcp',
        headers: {
          authorization: `DPoP ${token()}`,
          dpop: [
            `{"typ":"dpop+jwt","x":"${secret('proof-json')}`,
            secret('proof-payload'),
            secret('proof-signature'),
          ]
            .map((part) => encode(part))
            .join('.'),
        },
      },
      {
        method: 'POST',
        path: '/mcp',
        headers: {
          authorization: `DPoP ${guarded(
            jws(
              { alg: 'RS256', typ: 'at+jwt', kid: 'as-1' },
              `{"iss":"https://as.example","x":"${secret('no-json')}`,
              as.privateKey,
            ),
          )}`,
          dpop: secret('no-proof'),
        },
      },
      get(`/secrets/other${query()}`),
      get(`/secrets/tls/key${query()}`),
      get(`/nowhere${query()}`),
      signed({ path: '/permissive', pair: ec() }),
    ];
    for (const what of refused) expect(await ask(what)).not.toBe(0);
    kube.status = 403;
    expect(await ask(get('/secrets/db'))).toBe(502);
    kube.status = undefined;
    // Malformed.
    for (const text of [
      `GET /mcp/%00?key=${secret('malformed-query')} HTTP/1.1\r\nHost: a\r\n` +
        `Cookie: ${secret('malformed-cookie')}\r\n\r\n`,
      `GET /mcp?key=${secret('fragment-query')}#${secret('fragment')} HTTP/1.1\r\nHost: a\r\n\r\n`,
      `${secret('no-http')}\r\n\r\n`,
      `GET /mcp HTTP/1.1\r\nHost: a\r\n${secret('no-colon')}\r\n\r\n`,
      `GET /mcp HTTP/9.9\r\nHost: ${secret('host')}\r\n\r\n`,
      `GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: DPoP ${secret('first')}\r\n` +
        `Authorization: DPoP ${secret('second')}\r\n\r\n`,
      `POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n${secret('smuggled')}`,
      `GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Key: ${secret('upgrade')}\r\n\r\n`,
      `GET /mcp HTTP/1.1\r\nHost: a\r\nX: ${secret('oversized')}${'x'.repeat(20_000)}\r\n\r\n`,
    ])
      await raw(text);
    // A reload: what is no good, and what is.
    writeFileSync(file('as.json'), setOf(as, 'as-1', { d: secret('jwks-private') }));
    writeFileSync(file('self.json'), `{"keys":["${secret('jwks-broken')}`);
    writeFileSync(file('credential'), `${secret('two')}\n${secret('lines')}\n`);
    writeFileSync(file('nonce-keys'), `${NONCE_KEY}\n${secret('short')}\n \n`);
    gateway.child.kill('SIGHUP');
    await sleep(300);
    expect(await ask(signed())).toBe(200);
    writeFileSync(file('credential'), secret('rotated'));
    writeFileSync(file('as.json'), setOf(as, 'as-1'));
    gateway.child.kill('SIGHUP');
    await sleep(300);
    expect(await ask(signed())).toBe(200);
    metrics = (await request(gateway.adminPort, { path: '/metrics' })).text;
    expect(await gateway.stop()).toBe(0);

    expect(hits(secrets)).toEqual([]);
    expect(secrets.size).toBeGreaterThan(300);
    // The search is one: it finds what is written, in each of the places.
    expect(hits([PLANTED])).toEqual([`${PLANTED} in ${place === 'a file' ? 'audit' : 'stdout'}`]);
    expect(
      hits(['agentgateway_refusals_total', '"event":"listening"', 'must be at least 32']).sort(),
    ).toEqual([
      '"event":"listening" in stderr',
      'agentgateway_refusals_total in metrics',
      'must be at least 32 in stderr',
    ]);
  }, 30_000);
});
