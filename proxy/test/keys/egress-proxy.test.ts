import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEgress, type Egress } from '../../src/keys/egress-proxy.js';
import { createIntrospector } from '../../src/keys/introspector.js';
import { fetchText } from '../../src/keys/fetch-text.js';
import { openRemoteKeys } from '../../src/keys/remote-keys.js';
import { createTokenExchange } from '../../src/keys/token-exchange.js';
import { startForwardProxy, type ForwardProxy } from '../support/forward-proxy.js';
import { freePort } from '../support/free-port.js';
import { makeCertificate } from '../support/http2.js';

describe('an egress proxy', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-egress-'));
  const own = makeCertificate(dir, 'target');
  const others = makeCertificate(dir, 'others');
  const tlsOf = ({ certFile, keyFile }: { certFile: string; keyFile: string }) => ({
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
  });
  const asked: string[] = [];
  const answer: http.RequestListener = ({ method, url, headers }, response) => {
    // What is meant for the proxy goes no further.
    asked.push(`${method} ${url} ${headers.host}`);
    response.end(url === '/big' ? 'x'.repeat(2_000) : 'here');
  };
  const target = { plain: http.createServer(answer), tls: https.createServer(tlsOf(own), answer) };
  const intruder = https.createServer(tlsOf(others), answer);
  const portOf = (server: net.Server) => (server.address() as AddressInfo).port;
  let proxy: ForwardProxy;
  let egress: Egress;

  const through = (more: { credentials?: string; direct?: string[]; url?: string; caFile?: string } = {}) => {
    const { credentials, direct = [], url = proxy.url, caFile } = more;
    egress?.close();
    egress = openEgress(
      {
        url,
        direct,
        caFile,
        credentials: credentials === undefined ? undefined : { file: '/credentials' },
      },
      { credentials: () => credentials || undefined },
    );
  };
  const ask = (url: string, options: { caFile?: string; timeoutSeconds?: number } = {}) =>
    fetchText(url, { caFile: own.certFile, timeoutSeconds: 5, maxBytes: 1_000, egress, ...options });
  const https_ = (path = '/keys') => `https://127.0.0.1:${portOf(target.tls)}${path}`;
  const http_ = (path = '/keys') => `http://127.0.0.1:${portOf(target.plain)}${path}`;

  beforeAll(async () => {
    for (const server of [target.plain, target.tls, intruder])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  beforeEach(async () => {
    asked.length = 0;
    proxy = await startForwardProxy();
    through();
  });
  afterEach(async () => {
    egress.close();
    await proxy.close();
  });
  afterAll(() => {
    for (const server of [target.plain, target.tls, intruder]) server.close();
    rmSync(dir, { recursive: true });
  });

  it('is asked for a tunnel to an https target, which is used again', async () => {
    expect([await ask(https_('/a')), await ask(https_('/b'))]).toEqual(['here', 'here']);
    const host = `127.0.0.1:${portOf(target.tls)}`;
    expect(asked).toEqual([`GET /a ${host}`, `GET /b ${host}`]);
    expect(proxy.asked).toEqual([`CONNECT ${host}`]);
  });
  it('is sent the absolute URL of an http target', async () => {
    expect([await ask(http_('/a?b=c')), await ask(http_())]).toEqual(['here', 'here']);
    expect(proxy.asked).toEqual([`GET ${http_('/a?b=c')}`, `GET ${http_()}`]);
    expect(asked[0]).toBe(`GET /a?b=c 127.0.0.1:${portOf(target.plain)}`);
  });
  it('carries a form as it carries a question', async () => {
    const form = { body: 'token=a', authorization: 'Basic b' };
    for (const url of [https_(), http_()])
      expect(
        await fetchText(url, { caFile: own.certFile, timeoutSeconds: 5, maxBytes: 10, egress, form }),
      ).toBe('here');
    expect(asked.map((line) => line.split(' ', 2).join(' '))).toEqual(['POST /keys', 'POST /keys']);
  });
  it('leads to nobody else: the certificate of an https target is verified through the tunnel', async () => {
    proxy.leadsTo = portOf(intruder);
    await expect(ask(https_())).rejects.toThrow(/certificate/);
    expect(asked).toEqual([]);
  });
  it('is passed by for a host that is asked directly, and for no other', async () => {
    through({ direct: ['127.0.0.1'] });
    expect([await ask(https_()), await ask(http_())]).toEqual(['here', 'here']);
    expect(proxy.asked).toEqual([]);
    through({ direct: ['27.0.0.1', 'localhost'] });
    await ask(https_());
    expect(proxy.asked).toHaveLength(1);
  });
  it('gets the credentials, and the target does not', async () => {
    through({ credentials: 'gateway:pass word' });
    await ask(https_());
    await ask(http_());
    expect(proxy.credentials).toEqual(['gateway:pass word', 'gateway:pass word']);
    through({ credentials: '' });
    for (const url of [https_(), http_()])
      await expect(ask(url)).rejects.toThrow(`the egress proxy ${proxy.url}: its credentials are not there`);
    expect(proxy.asked).toHaveLength(2);
  });
  it.each([
    [407, /407.*wants other credentials/],
    [403, /403.*does not let the gateway reach that host/],
    [502, /502 to CONNECT 127\.0\.0\.1:\d+$/],
  ])('that refuses a tunnel with %i is named, with what it refused', async (status, says) => {
    proxy.refuseWith = status;
    await expect(ask(https_())).rejects.toThrow(says);
    await expect(ask(https_())).rejects.toThrow(`the egress proxy ${proxy.url}: ${status} to CONNECT`);
    expect(asked).toEqual([]);
  });
  it('that wants credentials for an http target is named', async () => {
    proxy.refuseWith = 407;
    await expect(ask(http_())).rejects.toThrow(
      'status 407, want 200: the egress proxy wants other credentials',
    );
  });
  it('that is away is named, and nothing is asked directly', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    through({ url });
    for (const to of [https_(), http_()])
      await expect(ask(to)).rejects.toThrow(`the egress proxy ${url}: connect ECONNREFUSED`);
    expect(asked).toEqual([]);
  });
  it('that says nothing is waited for no longer than the question has time', async () => {
    const silent = net.createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    try {
      through({ url: `http://127.0.0.1:${portOf(silent)}` });
      await expect(ask(https_(), { timeoutSeconds: 0.2 })).rejects.toThrow('no answer in 0.2 s');
    } finally {
      egress.close();
      silent.close();
    }
  });
  it('is spoken to by TLS where its URL says so, and verified', async () => {
    const secure = await startForwardProxy(tlsOf(others));
    try {
      through({ url: secure.url, caFile: others.certFile });
      expect([await ask(https_()), await ask(http_())]).toEqual(['here', 'here']);
      expect(secure.asked).toHaveLength(2);
      through({ url: secure.url, caFile: own.certFile });
      for (const url of [https_(), http_()])
        await expect(ask(url)).rejects.toThrow(/the egress proxy .*certificate/);
    } finally {
      await secure.close();
    }
  });
  it('carries every question to an authorization server', async () => {
    const secret = { value: () => 'secret', refresh: () => {}, close: () => {} };
    const common = { now: () => Date.now() / 1000, secret, egress, onProblem: () => {} };
    const client = { caFile: own.certFile, clientId: 'a', clientSecret: { file: '/a' }, timeoutSeconds: 5 };
    const limits = { cacheSeconds: 1, maxEntries: 10 };
    const introspector = createIntrospector(
      { ...client, ...limits, url: https_('/introspect'), always: false },
      common,
    );
    await introspector.introspect('token', 'hash', 'network');
    const exchange = {
      ...client,
      ...limits,
      kind: 'exchange' as const,
      url: https_('/exchange'),
      audience: 'a',
      scopes: [],
    };
    await createTokenExchange(exchange, common).exchange('token', Infinity, 'network');
    const times = { refreshSeconds: 30, cooldownSeconds: 1, maxStaleSeconds: 60, timeoutSeconds: 5 };
    const keys = openRemoteKeys(
      { discover: true, issuer: new URL(https_()).origin, caFile: own.certFile, ...times },
      { ...common, onIgnored: () => {} },
    );
    await keys.refresh();
    keys.close();
    const paths = asked.map((line) => line.split(' ')[1]);
    expect(paths).toEqual([
      '/introspect',
      '/exchange',
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
    ]);
    expect(proxy.asked).toEqual([`CONNECT 127.0.0.1:${portOf(target.tls)}`]);
  });
  it.each(['through it', 'directly'])(
    'an answer that is too long is refused, and ends nothing else: %s',
    async (way) => {
      if (way === 'directly') through({ direct: ['127.0.0.1'] });
      for (const url of [https_('/big'), http_('/big')])
        await expect(ask(url)).rejects.toThrow('more than 1000 bytes');
      expect(await ask(https_())).toBe('here');
    },
  );
});
