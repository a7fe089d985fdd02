/** RFC 8693 at a real authorization server: the backend gets a token that is its own, and never the caller's. */
import { join } from 'node:path';
import * as client from 'openid-client';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { expectInterop } from '../support/interop.js';
import { claimsOf, startPeers, type Peers } from './peers.js';

const BACKEND = 'https://tools.example/mcp';
/** What held, for docs/reference/interop.md: each test says so at its end. */
const held: string[] = [];
let peers: Peers;
beforeAll(async () => {
  peers = await startPeers({
    change: (config, dir) => {
      const [mcp] = config.routes as [Extract<ConfigInput['routes'][number], { kind: 'mcp' }>];
      const { url, clientId, clientSecret } = config.issuers[0]!.introspection!;
      const exchange = (resource: string) => ({
        kind: 'exchange' as const,
        url: url.replace('/token/introspection', '/token'),
        clientId,
        clientSecret,
        resource,
      });
      config.routes = [
        { ...mcp, backend: { ...mcp.backend, credential: exchange(BACKEND) } },
        {
          ...mcp,
          name: 'forbidden',
          pathPrefix: '/forbidden',
          backend: { ...mcp.backend, credential: exchange('https://tools.example/forbidden') },
        },
        {
          ...mcp,
          name: 'misconfigured',
          pathPrefix: '/misconfigured',
          backend: {
            ...mcp.backend,
            credential: { ...exchange(BACKEND), clientSecret: { file: join(dir, 'nonce-keys') } },
          },
        },
      ];
    },
  });
}, 20_000);
afterAll(() => peers.stop());
beforeEach(() => {
  peers.fixture.seen.length = 0;
});

const login = async () => {
  const { clientId, clientSecret } = peers.as.clients.agent;
  const config = await client.discovery(
    new URL(peers.as.issuer),
    clientId,
    undefined,
    client.ClientSecretBasic(clientSecret),
    { execute: [client.allowInsecureRequests], algorithm: 'oauth2', timeout: 5 },
  );
  const handle = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
  return async (path: string) => {
    const resource = peers.origin + path;
    const { access_token: token } = await client.clientCredentialsGrant(
      config,
      { resource, scope: 'mcp:read' },
      { DPoP: handle },
    );
    return {
      token,
      call: () =>
        client.fetchProtectedResource(
          config,
          token,
          new URL(resource),
          'POST',
          '{}',
          new Headers({ 'content-type': 'application/json' }),
          { DPoP: handle },
        ),
    };
  };
};

it('the backend gets an exchanged token, one exchange for many requests, also for many at once', async () => {
  const { token, call } = await (await login())('/mcp');
  const before = peers.as.exchanges.length;
  expect((await Promise.all(Array.from({ length: 5 }, call))).map(({ status }) => status)).toEqual(
    Array(5).fill(200),
  );
  expect((await call()).status).toBe(200);
  expect(peers.as.exchanges.length - before).toBe(1);
  expect(peers.as.exchanges.at(-1)).toMatchObject({
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    resource: BACKEND,
  });
  const sent = [...new Set(peers.fixture.seen.map(({ headers }) => headers.authorization))];
  expect(sent).toHaveLength(1);
  const exchanged = sent[0]!.replace(/^Bearer /, '');
  expect(claimsOf(exchanged)).toMatchObject({ iss: peers.as.issuer, aud: BACKEND });
  expect(claimsOf(exchanged)).not.toHaveProperty('cnf');
  expect(peers.fixture.seen.some(({ rawHeaders }) => rawHeaders.some((value) => value.includes(token)))).toBe(
    false,
  );
  held.push('one exchange for many requests');
});
it('a token that the backend refuses is not used again', async () => {
  const { call } = await (await login())('/mcp');
  expect((await call()).status).toBe(200);
  const before = peers.as.exchanges.length;
  const usual = peers.fixture.answer;
  peers.fixture.answer = (_, response) => response.writeHead(401).end();
  expect((await call()).status).toBe(502);
  peers.fixture.answer = usual;
  expect((await call()).status).toBe(200);
  expect(peers.as.exchanges.length - before).toBe(1);
  held.push('another token after a refusal');
});
it("another caller's token is another exchange", async () => {
  const before = peers.as.exchanges.length;
  for (let i = 0; i < 2; i++) expect((await (await (await login())('/mcp')).call()).status).toBe(200);
  expect(peers.as.exchanges.length - before).toBe(2);
  expect(new Set(peers.fixture.seen.map(({ headers }) => headers.authorization)).size).toBe(2);
  held.push('one token a caller');
});
it('what the authorization server does not give is 403, and nothing reaches the backend', async () => {
  const { call } = await (await login())('/forbidden');
  expect((await call()).status).toBe(403);
  expect((await peers.reasons('forbidden')).at(-1)).toBe('exchange_refused');
  expect(peers.fixture.seen).toEqual([]);
  held.push('none that it refuses');
});
it('a gateway whose own secret is wrong says 503 to its clients, and why to its operators', async () => {
  const { call } = await (await login())('/misconfigured');
  expect((await call()).status).toBe(503);
  expect((await peers.reasons('misconfigured')).at(-1)).toBe('exchange_unavailable');
  expect(peers.fixture.warnings.some((warning) => /^token exchange: .*status 401/.test(warning))).toBe(true);
  expect(peers.fixture.seen).toEqual([]);
});
it('is what docs/reference/interop.md says of it', () => {
  expectInterop('oidc-provider-exchange', held);
});
