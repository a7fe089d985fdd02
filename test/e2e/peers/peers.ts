/**
 * The gateway under the address where it listens, so that peers sign the URL they call, with a real
 * authorization server as an issuer.
 */
import type { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { startFixture, type GatewayFixture } from '../../../proxy/test/support/gateway.js';
import { startAuthorizationServer, type AuthorizationServer } from './authorization-server.js';

export interface Peers {
  readonly as: AuthorizationServer;
  readonly fixture: GatewayFixture;
  readonly origin: string;
  /** Reasons of all decisions about a route so far, in order. */
  reasons(route: string): Promise<unknown[]>;
  stop(): Promise<void>;
}

export interface PeersOptions {
  readonly requireNonce?: boolean;
  /** Where `/mcp` and the other routes lead; without it, to the fixture's recording backend. */
  readonly backendUrl?: string;
  readonly change?: (config: ConfigInput, dir: string) => void;
}

/**
 * Routes: `/mcp`, `/other` (another resource), `/opaque` (its tokens are, so they are introspected), `/fresh`
 * (wants nonces of the gateway's own).
 */
export async function startPeers({
  requireNonce = false,
  backendUrl,
  change,
}: PeersOptions = {}): Promise<Peers> {
  const as = await startAuthorizationServer({
    requireNonce,
    opaqueFor: (resource) => resource.endsWith('/opaque'),
  });
  try {
    let origin = '';
    const fixture = await startFixture({
      change: (config, { backendPort, dir }) => {
        origin = `http://127.0.0.1:${config.listen!.port!}`;
        writeFileSync(join(dir, 'introspection-secret'), as.clients.gateway.clientSecret);
        writeFileSync(join(dir, 'nonce-keys'), 'n'.repeat(32));
        config.publicOrigins = [origin];
        config.issuers = [
          {
            name: 'as',
            issuer: as.issuer,
            // On a busy machine the first fetch may come to nothing: the next one is soon.
            jwks: { url: as.jwksUri, cooldownSeconds: 1 },
            introspection: {
              url: as.introspectionEndpoint,
              clientId: as.clients.gateway.clientId,
              clientSecret: { file: join(dir, 'introspection-secret') },
              cacheSeconds: 0,
            },
          },
        ];
        const auth = { profile: 'dpop' as const, issuers: ['as'] };
        const backend = { url: backendUrl ?? `http://127.0.0.1:${backendPort}` };
        config.routes = [
          { kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth, backend },
          { kind: 'mcp', name: 'other', pathPrefix: '/other', auth, backend },
          { kind: 'mcp', name: 'opaque', pathPrefix: '/opaque', auth, backend },
          {
            kind: 'mcp',
            name: 'fresh',
            pathPrefix: '/fresh',
            auth: { ...auth, nonce: { keys: { file: join(dir, 'nonce-keys') } } },
            backend,
          },
        ];
        change?.(config, dir);
      },
    });
    await ready(fixture);
    return {
      as,
      fixture,
      origin,
      reasons: async (route) =>
        (await fixture.audit()).filter((line) => line['route.name'] === route).map(({ reason }) => reason),
      async stop() {
        await fixture.stop();
        await as.stop();
      },
    };
  } catch (cause) {
    await as.stop();
    throw cause;
  }
}

/** Has the keys of its issuers. */
async function ready(fixture: GatewayFixture): Promise<void> {
  for (let left = 15_000; left > 0; left -= 50) {
    if ((await fixture.admin('/readyz')).status === 200) return;
    await sleep(50);
  }
  throw new Error(`the gateway is not ready: ${fixture.warnings.join('; ')}`);
}

export const jktOf = async (key: webcrypto.CryptoKey): Promise<string> =>
  calculateJwkThumbprint(await exportJWK(key));
export const claimsOf = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
export const headerOf = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString()) as Record<string, unknown>;
