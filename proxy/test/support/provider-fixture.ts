/** One gateway with an issuer for each preset, and for each a route of the profiles dpop and mixed. */
import type { ConfigInput } from '../../src/config/index.js';
import { ORIGIN, startFixture, type Answer, type GatewayFixture } from './gateway.js';
import { ec, proof, thumbprint } from './mint.js';
import { CLIENT, ISSUERS, PROVIDERS, TYPED } from './provider-tokens.js';

const client = ec();
/** Binds a token to the key that `decisionOf` signs proofs with. */
export const cnf = { jkt: thumbprint(client) };
/** What every route takes beside its own URL: the client's id is one of them, as an operator may have it. */
export const ALIASES = ['api://tools', CLIENT];
/** The generic issuer with `legacyTyp`. */
export const LEGACY = 'https://legacy.example';

export async function startProviderFixture(): Promise<GatewayFixture> {
  return startFixture({
    change: (config) => {
      const [{ jwks }] = config.issuers as [ConfigInput['issuers'][number]];
      const [mcp] = config.routes as [ConfigInput['routes'][number]];
      config.issuers = [
        ...PROVIDERS.map((preset) => ({ name: preset, issuer: ISSUERS[preset], jwks, preset })),
        { name: 'generic', issuer: 'https://as.example', jwks },
        { name: 'typed', issuer: TYPED, jwks, preset: 'typed' },
        { name: 'legacy', issuer: LEGACY, jwks, legacyTyp: true },
      ];
      const routes = (profile: 'dpop' | 'mixed') =>
        config.issuers.map(({ name }) => ({
          ...mcp,
          name: `${profile}-${name}`,
          pathPrefix: `/${profile}/${name}`,
          auth: { profile, issuers: [name], audiences: ALIASES, requiredScopes: ['mcp:read'] },
        }));
      config.routes = [...routes('dpop'), ...routes('mixed')] as typeof config.routes;
    },
  });
}

export interface Decision {
  readonly reason: string;
  readonly detail: string | undefined;
  readonly answer: Answer;
}

/** What the audit record says; a refusal is a 401 or 403, and nothing of it reaches the backend. */
export async function decisionOf(
  fixture: GatewayFixture,
  path: string,
  token: string,
  scheme: 'DPoP' | 'Bearer' = 'DPoP',
): Promise<Decision> {
  const before = fixture.seen.length;
  const answer = await fixture.ask({
    method: 'POST',
    path,
    headers: {
      authorization: `${scheme} ${token}`,
      ...(scheme === 'DPoP' ? { dpop: proof(client, 'POST', ORIGIN + path, token) } : {}),
    },
  });
  const record = (await fixture.audit()).find((r) => r['request.id'] === answer.headers['x-request-id'])!;
  const { reason, detail } = record as { reason: string; detail?: string };
  const status = { ok: 200, scope_insufficient: 403 }[reason] ?? 401;
  expect([answer.status, fixture.seen.length - before]).toEqual([status, reason === 'ok' ? 1 : 0]);
  return { reason, detail, answer };
}
