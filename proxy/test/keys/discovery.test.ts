import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '../../src/config/index.js';
import { openRemoteKeys } from '../../src/keys/remote-keys.js';
import { ec, jwkOf } from '../support/mint.js';

const OAUTH = '/.well-known/oauth-authorization-server/realm';
const OPENID = '/realm/.well-known/openid-configuration';
const TIMES = { refreshSeconds: 600, cooldownSeconds: 30, maxStaleSeconds: 60, timeoutSeconds: 1 };
const keySet = (kid: string) => ({ keys: [{ ...jwkOf(ec()), kid }] });

describe('keys of an issuer that are discovered', () => {
  let server: Server;
  let origin: string;
  let issuer: string;
  /** Path to what is answered there; a text goes out as it is. */
  let pages: Record<string, unknown>;
  let asked: string[];
  let now: number;
  const problems: string[] = [];

  beforeAll(async () => {
    server = createServer(({ url = '' }, response) => {
      asked.push(url);
      const page = pages[url];
      if (page === undefined) return response.writeHead(404).end();
      return response.end(typeof page === 'string' ? page : JSON.stringify(page));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());
  beforeEach(() => {
    issuer = `${origin}/realm`;
    [pages, asked, now] = [{ '/keys': keySet('a') }, [], 1_000];
    problems.length = 0;
  });

  const open = () =>
    openRemoteKeys(
      { discover: true, issuer, ...TIMES },
      { now: () => now, onProblem: (problem) => problems.push(problem), onIgnored: () => {} },
    );
  /** How many keys there are after the first fetch. */
  const found = async () => {
    const keys = open();
    await keys.refresh();
    keys.close();
    return keys.find('a').length;
  };

  it('come from where its metadata of RFC 8414 says', async () => {
    pages[OAUTH] = { issuer, jwks_uri: `${origin}/keys` };
    expect(await found()).toBe(1);
    expect(asked).toEqual([OAUTH, '/keys']);
  });
  // Auth0's issuers end in a slash, Okta's and Entra's have a path.
  it.each(['', '/', '/realm/', '/oauth2/default'])(
    'of an issuer at %j, without the slash at its end (RFC 8414 3.1)',
    async (at) => {
      issuer = origin + at;
      const path = at.replace(/\/$/, '');
      const oauth = `/.well-known/oauth-authorization-server${path}`;
      const openid = `${path}/.well-known/openid-configuration`;
      pages[openid] = { issuer, jwks_uri: `${origin}/keys` };
      expect(await found()).toBe(1);
      expect(asked).toEqual([oauth, openid, '/keys']);
    },
  );
  it('or of OpenID Connect, where it has no other, or another answers there', async () => {
    pages[OPENID] = { issuer, jwks_uri: `${origin}/keys` };
    expect(await found()).toBe(1);
    expect(asked).toEqual([OAUTH, OPENID, '/keys']);
    pages[OAUTH] = '<html></html>';
    expect(await found()).toBe(1);
  });
  it.each<[string, (here: string) => unknown, RegExp]>([
    ['another issuer', (here) => ({ issuer: `${here}/other`, jwks_uri: `${here}/keys` }), /of the issuer/],
    [
      'its name with a slash more',
      (here) => ({ issuer: `${here}/realm/`, jwks_uri: `${here}/keys` }),
      /of the issuer/,
    ],
    ['no issuer', (here) => ({ jwks_uri: `${here}/keys` }), /of the issuer/],
    ['no jwks_uri', (here) => ({ issuer: `${here}/realm` }), /jwks_uri must be a URL/],
    [
      'a jwks_uri that is a file',
      (here) => ({ issuer: `${here}/realm`, jwks_uri: 'file:///etc/passwd' }),
      /https/,
    ],
    [
      'a jwks_uri with a password',
      (here) => ({ issuer: `${here}/realm`, jwks_uri: 'https://a:b@c/' }),
      /no credentials/,
    ],
    ['a list', () => [], /a JSON object/],
    [
      'more than its bound',
      (here) => ({ issuer: `${here}/realm`, x: 'x'.repeat(300_000) }),
      /more than 262144 bytes/,
    ],
  ])('do not come from metadata with %s', async (_, metadata, problem) => {
    pages[OAUTH] = metadata(origin);
    expect(await found()).toBe(0);
    expect(asked).not.toContain('/keys');
    expect(problems).toEqual([expect.stringMatching(/; no key is trusted$/)]);
    expect(problems[0]).toMatch(problem);
    expect(problems[0]).toContain(`${issuer}: ${origin}${OAUTH}: `);
  });
  it('are looked for anew with each refresh, and stay while that fails', async () => {
    pages[OAUTH] = { issuer, jwks_uri: `${origin}/keys` };
    const keys = open();
    await keys.refresh();
    pages = { [OAUTH]: { issuer, jwks_uri: `${origin}/moved` }, '/moved': keySet('b') };
    now += 31;
    await keys.refresh();
    expect([keys.find('a').length, keys.find('b').length]).toEqual([0, 1]);
    pages = {};
    now += 31;
    await keys.refresh();
    expect([keys.find('b').length, keys.ready(), problems.length]).toEqual([1, true, 1]);
    now += 661;
    expect([keys.find('b').length, keys.ready()]).toEqual([0, false]);
    keys.close();
  });
});

describe('keys of an issuer at https', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-discovery-'));
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  const [secure, plain] = [new https.Server(), createServer()];
  const originOf = (server: Server | https.Server) => {
    const { port } = server.address() as AddressInfo;
    return `${server === plain ? 'http' : 'https'}://127.0.0.1:${port}`;
  };
  /** Whose key set the metadata names. */
  let named: Server | https.Server;

  beforeAll(async () => {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const subject = ['-subj', '/CN=as', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1'];
    execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', cert], {
      stdio: 'pipe',
    });
    secure.setSecureContext({ key: readFileSync(key), cert: readFileSync(cert) });
    for (const server of [secure, plain]) {
      server.on('request', ({ url }, response) => {
        const metadata = { issuer: originOf(secure), jwks_uri: `${originOf(named)}/keys` };
        response.end(JSON.stringify(url === '/keys' ? keySet('a') : metadata));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
  });
  afterAll(() => {
    for (const server of [secure, plain]) server.close();
    rmSync(dir, { recursive: true });
  });

  it.each([
    ['come over https', secure, 1, /^$/],
    ['do not come over http, where anybody on the way could put their own', plain, 0, /must be an https URL/],
  ] as const)('%s', async (_, from, count, problem) => {
    named = from;
    const problems: string[] = [];
    const keys = openRemoteKeys(
      { discover: true, issuer: originOf(secure), caFile: cert, ...TIMES },
      { now: () => 1_000, onProblem: (text) => problems.push(text), onIgnored: () => {} },
    );
    await keys.refresh();
    keys.close();
    expect(keys.find('a')).toHaveLength(count);
    expect(problems.join()).toMatch(problem);
  });
});

describe('the config of an issuer whose keys are discovered', () => {
  const problemsOf = (issuer: string, jwks: object = { discover: true }) => {
    const parsed = parseConfig({
      version: 1,
      publicOrigins: ['https://gw.example'],
      issuers: [{ name: 'as', issuer, jwks }],
      replay: { store: 'memory' },
      routes: [],
    });
    return parsed.ok ? [] : parsed.problems.filter((problem) => problem.startsWith('issuers'));
  };
  it('needs the URL of the issuer, without a query', () => {
    expect(problemsOf('https://as.example/realm')).toEqual([]);
    for (const issuer of ['my-app', 'https://as.example/?a=b', 'https://a:b@as.example/'])
      expect(problemsOf(issuer)).toEqual([
        expect.stringMatching(/^issuers\[0\]\.issuer: must be an http\(s\) URL/),
      ]);
  });
  it('takes discover: true alone, not beside a URL', () => {
    expect(problemsOf('https://as.example', { discover: false })).toHaveLength(1);
    expect(problemsOf('https://as.example', { discover: true, url: 'https://as.example/keys' })).toHaveLength(
      1,
    );
  });
});
