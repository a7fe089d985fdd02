/**
 * The attack: `/mcp/admin` is a route that needs the scope `admin`, `/mcp` one that does not, and one backend
 * serves both. A path that the gateway takes for something under `/mcp`, and the backend for `/mcp/admin`,
 * reaches what needs the scope without it: backends ignore case, trim names, end them at the first delimiter,
 * take what follows a dot for a format, or fold characters that look alike.
 */
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { ask as askOverHttp2, makeCertificate, session } from '../support/http2.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';

const client = ec();
let fixture: GatewayFixture;
let caFile: string;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config, { dir }) => {
      const pair = makeCertificate(dir, 'edge');
      caFile = pair.certFile;
      config.listen = { ...config.listen, tls: pair };
      const [mcp] = config.routes as [(typeof config.routes)[number]];
      const under = (name: string, pathPrefix: string, requiredScopes: string[]) =>
        ({
          ...mcp,
          name,
          pathPrefix,
          auth: { profile: 'dpop', issuers: ['as'], audiences: ['all'], requiredScopes },
        }) as typeof mcp;
      config.routes = [
        under('mcp', '/mcp', []),
        under('admin', '/mcp/admin', ['admin']),
        under('deep', '/mcp/a/v1.0/keys', ['admin']),
      ];
      config.limits = { refusalsPerAddress: { maxTokens: 100_000, tokensPerSecond: 100_000 } };
    },
  });
});
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.seen.length = 0;
});

/** One request over HTTP/2, whose client sends a path as it is; the proof is for just that path. */
const ask = async (path: string, scope?: string) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: 'all', scope });
  const http2 = session(fixture.gateway.port, caFile);
  try {
    return await askOverHttp2(http2, {
      method: 'POST',
      path,
      headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token) },
      body: '{}',
    });
  } finally {
    http2.destroy();
  }
};

const words = (text: string): string[] => text.trim().split(/\s+/);
const FOLDED = words(`
  ADMIN Admin admiN/x %41dmin adm%C4%B1n adm%C4%B0n %EF%BD%81dmin a%CC%81dmin %C3%A1dmin`);
const TRIMMED = words(`
  admin%20 admin%20/x %20admin admin. admin.. admin.%20 admin%C2%A0 admin%E3%80%80 admin+`);
const ENDED = words(`
  admin%23 admin%3Fx admin%3fx=1 admin;x admin%3Bx admin%2C admin:x admin::$DATA admin@x admin,x admin&x=1
  admin= admin! admin* (admin) admin%22 admin%27 admin%3E admin%7C admin%20HTTP/1.1`);
const FORMATS = words('admin.json admin.action ADMIN.html');
const UNSEEN = words(`
  admin%00 admin%00.png admin%09 admin%0A admin%0D%0A admin%7F admin%C2%85 admin%E2%80%A8 ad%C2%ADmin
  ad%E2%80%8Bmin %EF%BB%BFadmin`);
const SEGMENTS = words(String.raw`
  /admin ./admin x/../admin %2e/admin x/%2e%2e/admin x/.%2E/admin x/..%20/admin x/%20../admin x/..%3F/admin
  x/.../admin %2Fadmin %5Cadmin \admin x/%EF%BC%8E%EF%BC%8E/admin x/%E2%80%A5/admin %EF%BC%8Fadmin
  %E2%88%95admin %E2%81%84admin %EF%BC%BCadmin %C2%A5admin`);
const TWICE_OR_NO_UTF8 = words(`
  %2561dmin admin%2520 %EF%BC%8541dmin %C1%A1dmin %C0%AFadmin %E0%80%AFadmin %u0061dmin %FFadmin
  %ED%A0%80admin admin%EF%BC%9Bx`);
const ADMIN = [FOLDED, TRIMMED, ENDED, FORMATS, UNSEEN, SEGMENTS, TWICE_OR_NO_UTF8].flat();

it.each(ADMIN)('/mcp/%s does not get past the scope of /mcp/admin', async (name) => {
  const { status } = await ask(`/mcp/${name}`);
  expect([[400, 403].includes(status!), fixture.seen]).toEqual([true, []]);
});
it.each(['/mcp/a/v1.0%20/KEYS', '/mcp/a.x/v1.0/keys', '/mcp/A/v1.0/keys.json', '/mcp/a/V1.0/keys%3F'])(
  '%s does not get past a prefix of several names',
  async (path) => {
    expect([(await ask(path)).status, fixture.seen]).toEqual([400, []]);
  },
);
const ELSEWHERE = words(`
  /mcp /mcp/ /mcp/x /mcp/administrator /mcp/admin-x /mcp/admin_x /mcp/admin~ /mcp/my-admin /mcp/x/admin
  /mcp/x.y/admin /mcp/%C3%A9t%C3%A9 /mcp/x%20y /mcp/x%3Fy /mcp/.hidden /mcp/a /mcp/a/v1x0/keys /mcp/a/v1.0`);
it.each(ELSEWHERE)('%s is under /mcp to everybody, and passes', async (path) => {
  expect((await ask(path)).status).toBe(200);
  expect(fixture.seen.map(({ url }) => url)).toEqual([path]);
});
it('who has the scope is served under the name as it is configured, and told of no other', async () => {
  expect((await ask('/mcp/admin/x', 'admin')).status).toBe(200);
  expect((await ask('/mcp/admin.json', 'admin')).text).toContain('bad_path');
  expect((await fixture.audit()).at(-1)).toMatchObject({
    reason: 'bad_path',
    detail: 'a tolerant backend would read it as /mcp/admin',
  });
});
