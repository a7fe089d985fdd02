/**
 * A real authorization server (panva's oidc-provider) on loopback: client credentials, DPoP, resource
 * indicators, JWT or opaque access tokens, introspection.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import http, { type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtVerify } from 'jose';

export interface OAuthClient {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface AuthorizationServer {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly introspectionEndpoint: string;
  readonly tokenEndpoint: string;
  /** Parameters of the token exchanges so far. */
  readonly exchanges: readonly Readonly<Record<string, string | undefined>>[];
  /** `agent` gets bound tokens, `unbound` plain bearer tokens, `gateway` may introspect. */
  readonly clients: {
    readonly agent: OAuthClient;
    readonly unbound: OAuthClient;
    readonly gateway: OAuthClient;
  };
  /** Requests to the token endpoint so far: with a nonce challenge there are two a token. */
  tokenRequests(): number;
  stop(): Promise<void>;
}

export interface AuthorizationServerOptions {
  /** Answer a proof without a nonce with `use_dpop_nonce` (RFC 9449 8). */
  readonly requireNonce?: boolean;
  readonly accessTokenTtlSeconds?: number;
  /** Resources that get opaque tokens; all others get `at+jwt`. */
  readonly opaqueFor?: (resource: string) => boolean;
}

/** The part of oidc-provider that is used here; the package has no types of its own. */

interface Provider {
  registerGrantType(
    name: string,
    handler: (ctx: {
      body?: unknown;
      oidc: { params: Record<string, string | undefined>; client: unknown };
    }) => Promise<void>,
    parameters: readonly string[],
  ): void;
  readonly ClientCredentials: new (of: { client: unknown; scope: string }) => {
    resourceServer?: unknown;
    save(): Promise<string>;
    readonly expiration: number;
  };
  readonly ResourceServer: new (resource: string, info: unknown) => unknown;
  callback(): RequestListener;
  on(event: 'server_error', listener: (ctx: unknown, error: Error) => void): void;
}
type ProviderClass = new (issuer: string, configuration: Record<string, unknown>) => Provider;

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const SCOPE = 'mcp:read mcp:write';

export async function startAuthorizationServer(
  options: AuthorizationServerOptions = {},
): Promise<AuthorizationServer> {
  const { requireNonce = false, accessTokenTtlSeconds = 300, opaqueFor = () => false } = options;
  const { info, warn } = console;
  // its hints for production, at import and at construction
  Object.assign(console, { info: () => undefined, warn: () => undefined });
  const module: string = 'oidc-provider';
  const { default: OidcProvider, errors } = (await import(module)) as {
    default: ProviderClass;
    errors: { InvalidGrant: new (text: string) => Error; InvalidTarget: new (text: string) => Error };
  };
  let tokenRequests = 0;
  const exchanges: Record<string, string | undefined>[] = [];
  let answer: RequestListener = (_, response) => response.writeHead(503).end();
  const server = http.createServer((message, response) => {
    if (message.url === '/token') tokenRequests++;
    answer(message, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const secret = () => randomBytes(24).toString('base64url');
  const client = (clientId: string): OAuthClient => ({ clientId, clientSecret: secret() });
  const clients = { agent: client('agent'), unbound: client('unbound'), gateway: client('gateway') };
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const resourceServer = (resource: string) => ({
    scope: SCOPE,
    audience: resource,
    accessTokenTTL: accessTokenTtlSeconds,
    ...(opaqueFor(resource)
      ? { accessTokenFormat: 'opaque' }
      : { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
  });
  const registered = ({ clientId, clientSecret }: OAuthClient, more: Record<string, unknown>) => ({
    client_id: clientId,
    client_secret: clientSecret,
    redirect_uris: [],
    response_types: [],
    grant_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
    ...more,
  });
  try {
    const provider = new OidcProvider(issuer, {
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'as-key', use: 'sig', alg: 'RS256' }] },
      cookies: { keys: [secret()] },
      clients: [
        registered(clients.agent, {
          grant_types: ['client_credentials'],
          scope: SCOPE,
          dpop_bound_access_tokens: true,
        }),
        registered(clients.unbound, { grant_types: ['client_credentials'], scope: SCOPE }),
        registered(clients.gateway, { grant_types: [EXCHANGE], scope: SCOPE }),
      ],
      scopes: SCOPE.split(' '),
      ttl: {
        ClientCredentials: (_: unknown, grant: { resourceServer?: { accessTokenTTL?: number } }) =>
          grant.resourceServer?.accessTokenTTL ?? accessTokenTtlSeconds,
      },
      enabledJWA: { dPoPSigningAlgValues: ['ES256', 'PS256', 'RS256', 'Ed25519', 'EdDSA'] },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        revocation: {
          enabled: true,
          allowedPolicy: (_: unknown, { clientId }: { clientId: string }, token: { clientId: string }) =>
            clientId === token.clientId,
        },
        introspection: {
          enabled: true,
          allowedPolicy: (_: unknown, { clientId }: { clientId: string }) =>
            clientId === clients.gateway.clientId,
        },
        dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => requireNonce },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => undefined,
          useGrantedResource: () => true,
          getResourceServerInfo: (_: unknown, resource: string) => resourceServer(resource),
        },
      },
    });
    // RFC 8693: one of its own access tokens for one of another resource, unbound; nothing for resources that
    // end in /forbidden.
    provider.registerGrantType(
      EXCHANGE,
      async (ctx) => {
        const { subject_token: subject = '', resource = '', subject_token_type: type } = ctx.oidc.params;
        exchanges.push({ ...ctx.oidc.params });
        await jwtVerify(subject, publicKey, { issuer }).catch(() => {
          throw new errors.InvalidGrant('the subject token is not ours');
        });
        if (type !== 'urn:ietf:params:oauth:token-type:access_token' || resource.endsWith('/forbidden'))
          throw new errors.InvalidTarget('not for this resource');
        const token = new provider.ClientCredentials({ client: ctx.oidc.client, scope: 'mcp:read' });
        token.resourceServer = new provider.ResourceServer(resource, resourceServer(resource));
        ctx.body = {
          access_token: await token.save(),
          issued_token_type: type,
          token_type: 'Bearer',
          expires_in: token.expiration,
        };
      },
      ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'resource', 'scope'],
    );
    provider.on('server_error', (_, error) => {
      console.error(error);
    });
    answer = provider.callback();
  } catch (cause) {
    server.close();
    throw cause;
  } finally {
    Object.assign(console, { info, warn });
  }
  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    introspectionEndpoint: `${issuer}/token/introspection`,
    tokenEndpoint: `${issuer}/token`,
    exchanges,
    clients,
    tokenRequests: () => tokenRequests,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
