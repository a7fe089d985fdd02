/**
 * Tokens of a real authorization server and proofs of other people's libraries (openid-client, dpop) against
 * the gateway.
 */
import { generateKeyPair as dpopKeyPair, generateProof, type JWSAlgorithm } from 'dpop';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import type { OAuthClient } from './authorization-server.js';
import { expectInterop } from '../support/interop.js';
import { claimsOf, headerOf, jktOf, startPeers, type Peers } from './peers.js';

/** What held, for docs/reference/interop.md: each test says so at its end. */
const held: string[] = [];

type Keys = Awaited<ReturnType<typeof client.randomDPoPKeyPair>>;
interface Login {
  readonly config: client.Configuration;
  readonly keys: Keys;
  readonly handle: client.DPoPHandle | undefined;
}

const login = async (
  { as }: Peers,
  { clientId, clientSecret }: OAuthClient = as.clients.agent,
  keys?: Keys,
): Promise<Login> => {
  const http = { execute: [client.allowInsecureRequests], algorithm: 'oauth2' as const, timeout: 5 };
  const config = await client.discovery(
    new URL(as.issuer),
    clientId,
    undefined,
    client.ClientSecretBasic(clientSecret),
    http,
  );
  const pair = keys ?? (await client.randomDPoPKeyPair('ES256', { extractable: true }));
  return { config, keys: pair, handle: client.getDPoPHandle(config, pair) };
};
const tokenFor = ({ config, handle }: Login, resource: string) =>
  client.clientCredentialsGrant(
    config,
    { resource, scope: 'mcp:read' },
    handle === undefined ? {} : { DPoP: handle },
  );
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'peer', version: '1' } },
});
const call = ({ config, handle }: Login, token: string, url: string, method = 'POST') =>
  client.fetchProtectedResource(
    config,
    token,
    new URL(url),
    method,
    method === 'POST' ? INITIALIZE : undefined,
    new Headers({ 'content-type': 'application/json' }),
    handle === undefined ? {} : { DPoP: handle },
  );
/** openid-client reports a 401 with a challenge as an error that holds it. */
const refusal = async (
  answer: Promise<Response>,
): Promise<{ status: number; challenges: Record<string, string>[] }> => {
  const error: unknown = await answer.then(
    (r) => new Error(`answered ${r.status}`),
    (e: unknown) => e,
  );
  if (!(error instanceof client.WWWAuthenticateChallengeError)) throw error;
  return {
    status: error.status,
    challenges: error.cause.map(({ scheme, parameters }) => ({ scheme, ...parameters })),
  };
};

it('openid-client gets a token that passes where the gateway discovered the keys of its server', async () => {
  const peers = await startPeers({
    change: (config) => {
      config.issuers[0]!.jwks = { discover: true, cooldownSeconds: 1 };
    },
  });
  try {
    const me = await login(peers);
    const { access_token: token } = await tokenFor(me, `${peers.origin}/mcp`);
    expect((await call(me, token, `${peers.origin}/mcp`)).status).toBe(200);
    held.push('keys by discovery');
  } finally {
    await peers.stop();
  }
}, 20_000);

describe.each([false, true])(
  'openid-client, an authorization server that wants nonces: %s',
  (requireNonce) => {
    let peers: Peers;
    beforeAll(async () => {
      peers = await startPeers({ requireNonce });
    }, 20_000);
    afterAll(() => peers.stop());
    beforeEach(() => {
      peers.fixture.seen.length = 0;
    });
    const refused = async (answer: Promise<Response>, reason: string, route = 'mcp') => {
      expect(await refusal(answer)).toMatchObject({
        status: 401,
        challenges: [{ scheme: 'dpop', error: 'invalid_token' }],
      });
      expect((await peers.reasons(route)).at(-1)).toBe(reason);
    };

    it("gets a bound token for the route's canonical URI and 200 with it, for POST, GET and DELETE", async () => {
      const me = await login(peers);
      const before = peers.as.tokenRequests();
      const resource = `${peers.origin}/mcp`;
      const { access_token: token, token_type: type } = await tokenFor(me, resource);
      expect(peers.as.tokenRequests() - before).toBe(requireNonce ? 2 : 1);
      expect([type, headerOf(token).typ]).toEqual(['dpop', 'at+jwt']);
      expect(claimsOf(token)).toMatchObject({
        iss: peers.as.issuer,
        aud: resource,
        cnf: { jkt: await jktOf(me.keys.publicKey) },
      });
      for (const method of ['POST', 'GET', 'DELETE'])
        expect((await call(me, token, resource, method)).status).toBe(200);
      expect((await call(me, token, `${resource}/deeper?query=is&not=signed`)).status).toBe(200);
      expect(peers.fixture.seen.map(({ method }) => method)).toEqual(['POST', 'GET', 'DELETE', 'POST']);
      expect(
        peers.fixture.seen.flatMap(({ headers }) =>
          ['authorization', 'dpop'].filter((name) => name in headers),
        ),
      ).toEqual([]);
      held.push(requireNonce ? 'nonces of the authorization server' : 'bound tokens');
    });
    it('also where the route wants nonces of its own: challenge, then 200, then the nonce is remembered', async () => {
      const me = await login(peers);
      const { access_token: token } = await tokenFor(me, `${peers.origin}/fresh`);
      for (let i = 0; i < 2; i++) expect((await call(me, token, `${peers.origin}/fresh`)).status).toBe(200);
      expect(await peers.reasons('fresh')).toEqual(['dpop_nonce_missing', 'ok', 'ok']);
      held.push('nonces of the gateway');
    });
    it('an opaque token, which the gateway introspects, until it is revoked', async () => {
      const me = await login(peers);
      const { access_token: token } = await tokenFor(me, `${peers.origin}/opaque`);
      expect(token).not.toContain('.');
      expect((await call(me, token, `${peers.origin}/opaque`)).status).toBe(200);
      await refused(call(me, token, `${peers.origin}/mcp`), 'token_audience_refused');
      await client.tokenRevocation(me.config, token);
      await refused(call(me, token, `${peers.origin}/opaque`), 'token_inactive', 'opaque');
      held.push('opaque tokens until they are revoked');
    });
    it('the same token as Bearer is refused, with a proof and without', async () => {
      const me = await login(peers);
      const { access_token: token } = await tokenFor(me, `${peers.origin}/mcp`);
      const bare = { ...me, handle: undefined };
      await refused(call(bare, token, `${peers.origin}/mcp`), 'scheme_refused');
      const proof = await generateProof(me.keys, `${peers.origin}/mcp`, 'POST', undefined, token);
      expect(
        (
          await fetch(`${peers.origin}/mcp`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}`, dpop: proof },
          })
        ).status,
      ).toBe(401);
      expect((await peers.reasons('mcp')).at(-1)).toBe('scheme_refused');
      expect(peers.fixture.seen).toEqual([]);
    });
    it.each(['/opaque', '/other'])('a token for %s is refused at /mcp', async (path) => {
      const me = await login(peers);
      const { access_token: token } = await tokenFor(me, peers.origin + path);
      expect((await call(me, token, peers.origin + path)).status).toBe(200);
      await refused(call(me, token, `${peers.origin}/mcp`), 'token_audience_refused');
      expect(peers.fixture.seen).toHaveLength(1);
    });
    it('a token that the server bound to nobody is refused, with a proof and as Bearer', async () => {
      const me = await login(peers, peers.as.clients.unbound);
      const { access_token: token, token_type: type } = await client.clientCredentialsGrant(me.config, {
        resource: `${peers.origin}/mcp`,
        scope: 'mcp:read',
      });
      expect([type, claimsOf(token).cnf]).toEqual(['bearer', undefined]);
      await refused(call(me, token, `${peers.origin}/mcp`), 'token_not_bound');
      expect(
        (
          await fetch(`${peers.origin}/mcp`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}` },
          })
        ).status,
      ).toBe(401);
    });
    it('the token with another key is refused', async () => {
      const [me, thief] = await Promise.all([login(peers), login(peers)]);
      const { access_token: token } = await tokenFor(me, `${peers.origin}/mcp`);
      await refused(call(thief, token, `${peers.origin}/mcp`), 'token_key_mismatch');
      held.push('no token with another key');
    });
    it('the challenge leads oauth4webapi to metadata, to this authorization server, and to a token', async () => {
      const me = await login(peers);
      const {
        challenges: [challenge],
      } = await refusal(call(me, 'x', `${peers.origin}/mcp`));
      const resource = new URL(`${peers.origin}/mcp`);
      const response = await oauth.resourceDiscoveryRequest(resource, {
        [oauth.allowInsecureRequests]: true,
      });
      expect(response.url).toBe(challenge!.resource_metadata);
      const metadata = await oauth.processResourceDiscoveryResponse(resource, response);
      expect(metadata).toMatchObject({
        authorization_servers: [peers.as.issuer],
        dpop_bound_access_tokens_required: true,
      });
      expect(metadata.dpop_signing_alg_values_supported).toContain('ES256');
      expect(
        (await call(me, (await tokenFor(me, metadata.resource)).access_token, metadata.resource)).status,
      ).toBe(200);
      held.push('metadata of the resource');
    });

    describe.each<JWSAlgorithm>(['ES256', 'PS256', 'RS256', 'Ed25519'])(
      "panva's dpop with %s",
      (algorithm) => {
        it('200, and 401 when the same proof comes again', async () => {
          const keys = await dpopKeyPair(algorithm, { extractable: true });
          const me = await login(peers, peers.as.clients.agent, keys);
          const resource = `${peers.origin}/mcp`;
          const { access_token: token } = await tokenFor(me, resource);
          const proof = await generateProof(keys, resource, 'POST', undefined, token);
          expect(headerOf(proof).alg).toBe(algorithm);
          const send = (dpop: string) =>
            fetch(resource, { method: 'POST', headers: { authorization: `DPoP ${token}`, dpop } });
          expect((await send(proof)).status).toBe(200);
          const again = await send(proof);
          expect([again.status, again.headers.get('www-authenticate')]).toEqual([
            401,
            expect.stringMatching(/^DPoP .*error="invalid_dpop_proof"/) as string,
          ]);
          expect((await send(await generateProof(keys, resource, 'GET', undefined, token))).status).toBe(401);
          expect((await peers.reasons('mcp')).slice(-3)).toEqual([
            'ok',
            'dpop_replayed',
            'dpop_htm_mismatch',
          ]);
          expect(peers.fixture.seen).toHaveLength(1);
          held.push(`proofs with ${algorithm}`);
        });
      },
    );
  },
);

it('openid-client and oidc-provider are what docs/reference/interop.md says of them', () => {
  expectInterop('oidc-provider', [...new Set(held)]);
});
