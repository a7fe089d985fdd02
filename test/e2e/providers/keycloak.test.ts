/**
 * Tokens of a real Keycloak, got by openid-client and bound by its proofs, against the shipped gateway with the
 * preset `keycloak`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as client from 'openid-client';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { freePort, request } from '../../../proxy/test/support/gateway.js';
import { claimsOf, headerOf, jktOf } from '../peers/peers.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { expectInterop, interopRows } from '../support/interop.js';
import { Keycloak, missingKeycloak, VERSION } from './keycloak-server.js';
import { createRealm, issuerOf, REALM, signIn } from './realm.js';

const missing = missingKeycloak();
if (missing !== undefined) it.skip(`Keycloak ${VERSION}: ${missing}`, () => {});

const dir = mkdtempSync(join(tmpdir(), 'agw-keycloak-'));
afterAll(() => rmSync(dir, { recursive: true }));

type GatewayPorts = Pick<GatewayProcess, 'port' | 'adminPort'>;

/** Answers everything; what comes here was let through. */
const backend = http.createServer((message, response) =>
  message.resume().on('end', () => response.end('{}')),
);
let keycloak: Keycloak;
/** With the preset `keycloak`, and with none: RFC 9068 alone. */
let gateway: GatewayProcess;
let strict: GatewayProcess;
/** Asks Keycloak about each token, too. */
let asking: GatewayProcess;
/** What held, for docs/reference/interop.md: each test says so at its end. */
const held: string[] = [];

const originOf = ({ port }: { readonly port: number }) => `http://127.0.0.1:${port}`;
const freePorts = async () => ({ port: await freePort(), adminPort: await freePort() });

async function startGateway(
  name: string,
  ports: GatewayPorts,
  says: Partial<ConfigInput['issuers'][number]> = {},
): Promise<GatewayProcess> {
  const issuer = issuerOf(keycloak);
  // Found by the issuer's own metadata.
  const jwks = { discover: true as const, cooldownSeconds: 1 };
  return startGatewayProcess(
    {
      version: 1,
      publicOrigins: [originOf(ports)],
      issuers: [{ name: 'keycloak', issuer, jwks, ...says }],
      replay: { store: 'memory' },
      routes: [
        {
          kind: 'mcp',
          name: 'mcp',
          pathPrefix: '/mcp',
          auth: { profile: 'dpop', issuers: ['keycloak'], requiredScopes: ['profile'] },
          backend: { url: originOf(backend.address() as AddressInfo) },
        },
      ],
    },
    { dir, name, ports },
  );
}

interface Caller {
  readonly config: client.Configuration;
  readonly keys: client.CryptoKeyPair;
  readonly handle: client.DPoPHandle;
}
async function newCaller(): Promise<Caller> {
  const { clientId, clientSecret } = REALM.agent;
  const config = await client.discovery(
    new URL(issuerOf(keycloak)),
    clientId,
    undefined,
    client.ClientSecretBasic(clientSecret),
    { execute: [client.allowInsecureRequests] },
  );
  const keys = await client.randomDPoPKeyPair('ES256');
  return { config, keys, handle: client.getDPoPHandle(config, keys) };
}
const ownToken = async ({ config, handle }: Caller) =>
  (await client.clientCredentialsGrant(config, {}, { DPoP: handle })).access_token;

/** What a gateway decided about one request with this token and a proof of this caller. */
async function decision({ config, handle }: Caller, token: string, at = gateway) {
  const before = auditOf(at).length;
  const url = new URL(`${originOf(at)}/mcp`);
  await client
    .fetchProtectedResource(config, token, url, 'POST', '{}', undefined, { DPoP: handle })
    .catch((error: unknown) => {
      if (!(error instanceof client.WWWAuthenticateChallengeError)) throw error;
    });
  for (let left = 5_000; auditOf(at).length === before && left > 0; left -= 10) await sleep(10);
  return auditOf(at)[before] ?? { reason: `no decision; it said: ${at.said()} ${at.wrote()}` };
}
const auditOf = (at: GatewayProcess) =>
  at
    .wrote()
    .split('\n')
    .filter((line) => line.includes('"route.name"') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

(missing === undefined ? describe : describe.skip)(`Keycloak ${VERSION}`, () => {
  beforeAll(async () => {
    keycloak = await Keycloak.start();
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const ports = [await freePorts(), await freePorts(), await freePorts()] as const;
    await createRealm(
      keycloak,
      ports.map((at) => `${originOf(at)}/mcp`),
    );
    gateway = await startGateway('gateway', ports[0], { preset: 'keycloak' });
    strict = await startGateway('strict', ports[1]);
    const secret = join(dir, 'secret');
    writeFileSync(secret, REALM.asker.clientSecret);
    asking = await startGateway('asking', ports[2], {
      preset: 'keycloak',
      introspection: {
        always: true,
        url: `${issuerOf(keycloak)}/protocol/openid-connect/token/introspect`,
        clientId: REALM.asker.clientId,
        clientSecret: { file: secret },
        cacheSeconds: 1,
      },
    });
  }, 300_000);
  afterAll(async () => {
    await Promise.all([gateway?.stop(), strict?.stop(), asking?.stop()]);
    await keycloak?.stop();
    backend.close();
  }, 60_000);

  it('gives a client a bound token of typ JWT for itself, which passes', async () => {
    const me = await newCaller();
    const token = await ownToken(me);
    expect(headerOf(token)).toMatchObject({ typ: 'JWT', alg: 'RS256' });
    expect(claimsOf(token)).toMatchObject({
      azp: 'agent',
      typ: 'DPoP',
      cnf: { jkt: await jktOf(me.keys.publicKey) },
      aud: expect.arrayContaining([`${originOf(gateway)}/mcp`]) as string[],
    });
    expect(await decision(me, token)).toMatchObject({ reason: 'ok', 'response.status': 200 });
    held.push('client credentials');
  });

  it('gives it one for a user who signed in, which passes and says who that is', async () => {
    const me = await newCaller();
    const { access_token: token } = await signIn(me.config, me.handle);
    expect(claimsOf(token).preferred_username).toBe('ada');
    expect(await decision(me, token)).toMatchObject({ reason: 'ok', 'jwt.sub': claimsOf(token).sub });
    held.push('authorization code');
  });

  it('is told of in the audit line where the preset is another one', async () => {
    const me = await newCaller();
    expect(await decision(me, await ownToken(me), strict)).toMatchObject({
      reason: 'token_type_refused',
      detail: expect.stringMatching(/^typ must be at\+jwt; preset .*keycloak.* would take it$/) as string,
    });
  });

  it('has other tokens, for refreshing and of who signed in, which never pass', async () => {
    const me = await newCaller();
    const { refresh_token: refresh = '', id_token: id = '' } = await signIn(me.config, me.handle);
    expect([claimsOf(refresh).typ, claimsOf(id).typ]).toEqual(['Refresh', 'ID']);
    for (const at of [gateway, strict])
      for (const token of [refresh, id])
        expect(await decision(me, token, at)).toMatchObject({
          'response.status': 401,
          reason: 'token_type_refused',
        });
    held.push('no refresh token or ID token');
  });

  it('binds its token: with the proof of another key, or as Bearer, it does not pass', async () => {
    const [me, thief] = await Promise.all([newCaller(), newCaller()]);
    const token = await ownToken(me);
    expect(await decision(thief, token)).toMatchObject({ reason: 'token_key_mismatch' });
    const headers = { authorization: `Bearer ${token}` };
    const { status } = await request(gateway.port, { method: 'POST', path: '/mcp', headers, body: '{}' });
    expect(status).toBe(401);
    held.push('no token without its key');
  });

  it('revokes a session: its token is refused by a gateway that asks about JWTs, and by no other', async () => {
    const me = await newCaller();
    const { access_token: token } = await signIn(me.config, me.handle);
    expect(await decision(me, token, asking)).toMatchObject({ reason: 'ok' });
    await keycloak.admin('DELETE', `/${REALM.name}/sessions/${String(claimsOf(token).sid)}`);
    await sleep(1_100); // What it was told is forgotten.
    expect(await decision(me, token, asking)).toMatchObject({ reason: 'token_inactive' });
    expect(await decision(me, token)).toMatchObject({ reason: 'ok' });
    held.push('no token of a revoked session');
  });

  it('publishes a key for encryption beside that for signatures, which is ignored and counted', async () => {
    const { keys } = (await (await fetch(`${issuerOf(keycloak)}/protocol/openid-connect/certs`)).json()) as {
      keys: { use: string }[];
    };
    expect(keys.map(({ use }) => use).sort()).toEqual(['enc', 'sig']);
    const { text } = await request(gateway.adminPort, { path: '/metrics' });
    expect(text).toContain('agentgateway_jwks_ignored_keys{issuer="keycloak"} 1');
    expect(gateway.said()).toMatch(/issuer keycloak: .*ignored keys\[[01]\]: /);
    held.push('a key set with a key for encryption');
  });

  it('rotates its key: a token under the new one passes, and so does one from before', async () => {
    const me = await newCaller();
    const before = await ownToken(me);
    await keycloak.admin('POST', `/${REALM.name}/components`, {
      name: 'next',
      providerId: 'rsa-generated',
      providerType: 'org.keycloak.keys.KeyProvider',
      config: { priority: ['200'], enabled: ['true'], active: ['true'], algorithm: ['RS256'] },
    });
    const after = await ownToken(me);
    expect(headerOf(after).kid).not.toBe(headerOf(before).kid);
    expect(await decision(me, after)).toMatchObject({ reason: 'ok' });
    expect(await decision(me, before)).toMatchObject({ reason: 'ok' });
    held.push('a rotated key');
  });

  it('is what docs/reference/interop.md says of it', () => {
    expect(interopRows().keycloak!.version).toBe(VERSION);
    expectInterop('keycloak', held);
  });
});
