/** Who a page is, by its Origin: websites, extensions, and the shells that apps are made of. */
import { parseConfig, type ConfigInput } from '../../src/config/index.js';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';

const ALLOWED = [
  'https://app.example',
  'http://localhost:6274',
  'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
  'moz-extension://0a1b2c3d-0000-4000-8000-000000000000',
  'app://obsidian.md',
  'tauri://localhost',
  'vscode-webview://1rq8j0a2v0k5',
];
const problemsOf = (origin: string) => {
  const config: ConfigInput = {
    version: 1,
    publicOrigins: [ORIGIN],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: '/as.json' } }],
    replay: { store: 'memory' },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'] },
        allowedOrigins: [origin],
        backend: { url: 'http://127.0.0.1:1' },
      },
    ],
  };
  const parsed = parseConfig(config);
  return parsed.ok ? [] : parsed.problems;
};

describe('an Origin that may call', () => {
  it.each(ALLOWED)('%s', (origin) => expect(problemsOf(origin)).toEqual([]));
  it.each([
    ['chrome-extension://*', /a wildcard matches nothing/],
    ['https://*.example.com', /a wildcard matches nothing/],
    ['*', /a wildcard matches nothing/],
    ['app://', /must be an origin/],
    ['tauri://localhost/', /must be an origin/],
    ['tauri://LOCALHOST', /must be an origin/],
    ['app://user@host', /must be an origin/],
    ['file://', /must be an origin/],
    ['file:///index.html', /must be an origin/],
    ['javascript://x', /must be an origin/],
    ['null', /pages without an origin all send it/],
    ['https://app.example/', /did you mean "https:\/\/app.example"/],
  ])('is not %s', (origin, want) => {
    expect(problemsOf(origin).join()).toMatch(want);
  });
  it('is no origin of the gateway itself, where it is not of http', () => {
    const parsed = parseConfig({ publicOrigins: ['app://gw'] });
    expect(parsed.ok ? [] : parsed.problems).toContainEqual(
      expect.stringMatching(/^publicOrigins\[0\]: must be an http\(s\) origin/),
    );
  });
});

describe('a page', () => {
  let fixture: GatewayFixture;
  const client = ec();
  beforeAll(async () => {
    fixture = await startFixture({
      change: ({ routes }) => {
        Object.assign(routes[0]!, { allowedOrigins: ALLOWED });
      },
    });
  });
  afterAll(() => fixture.stop());
  const ask = (origin: string) => {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
    const dpop = proof(client, 'POST', `${ORIGIN}/mcp`, token);
    return fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: { authorization: `DPoP ${token}`, dpop, origin },
    });
  };
  it.each(ALLOWED)('of %s gets its answer, and may read it', async (origin) => {
    const { status, headers } = await ask(origin);
    expect([status, headers['access-control-allow-origin']]).toEqual([200, origin]);
  });
  it.each([
    'chrome-extension://abcdefghijklmnopabcdefghijklmnoq',
    'tauri://localhost.evil',
    'TAURI://localhost',
    'tauri://localhost:1',
    'app://obsidian.md, https://app.example',
    'null',
  ])('of %s gets none', async (origin) => {
    expect((await ask(origin)).status).toBe(403);
  });
});
