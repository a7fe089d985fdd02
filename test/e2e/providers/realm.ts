/** The realm that the tests use: a client that gets bound tokens, by itself and for a user, that user, and who asks. */
import * as client from 'openid-client';
import type { Keycloak } from './keycloak-server.js';

export const REALM = {
  name: 'agents',
  agent: { clientId: 'agent', clientSecret: 'the secret of the agent' },
  /** The gateway's own, to ask about tokens with. */
  asker: { clientId: 'gateway', clientSecret: 'the secret of the gateway' },
  user: { username: 'ada', password: 'the password of ada' },
  redirectUri: 'http://127.0.0.1/callback',
} as const;

export const issuerOf = ({ origin }: Keycloak) => `${origin}/realms/${REALM.name}`;

/** @param audiences of every access token */
export async function createRealm(keycloak: Keycloak, audiences: readonly string[]): Promise<void> {
  const { agent, asker, user } = REALM;
  await keycloak.admin('POST', '', {
    realm: REALM.name,
    enabled: true,
    sslRequired: 'none',
    clients: [
      {
        clientId: agent.clientId,
        secret: agent.clientSecret,
        standardFlowEnabled: true,
        serviceAccountsEnabled: true,
        redirectUris: [REALM.redirectUri],
        attributes: { 'dpop.bound.access.tokens': 'true' },
        // Keycloak answers nobody about a token that is not for it: the asking client is an audience, too.
        protocolMappers: [...audiences, asker.clientId].map((audience) => ({
          name: `audience ${audience}`,
          protocol: 'openid-connect',
          protocolMapper: 'oidc-audience-mapper',
          config: { 'included.custom.audience': audience, 'access.token.claim': 'true' },
        })),
      },
      { clientId: asker.clientId, secret: asker.clientSecret, serviceAccountsEnabled: true },
    ],
    users: [
      {
        username: user.username,
        enabled: true,
        emailVerified: true,
        email: 'ada@users.example',
        firstName: 'Ada',
        lastName: 'Lovelace',
        credentials: [{ type: 'password', value: user.password }],
      },
    ],
  });
}

/** The authorization code flow with PKCE; the user's browser is played here: one form, and its cookies. */
export async function signIn(
  config: client.Configuration,
  handle: client.DPoPHandle,
): Promise<client.TokenEndpointResponse> {
  const verifier = client.randomPKCECodeVerifier();
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri: REALM.redirectUri,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const page = await fetch(address, { redirect: 'manual' });
  const form = /<form[^>]* action="([^"]*)"/.exec(await page.text())?.[1]?.replaceAll('&amp;', '&');
  if (form === undefined) throw new Error(`no form to sign in with: ${page.status}`);
  const cookies = page.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0]);
  const done = await fetch(form, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: cookies.join('; ') },
    body: new URLSearchParams(REALM.user),
  });
  const back = done.headers.get('location');
  if (back === null) throw new Error(`the sign-in came to no redirect: ${done.status}`);
  return client.authorizationCodeGrant(config, new URL(back), { pkceCodeVerifier: verifier }, undefined, {
    DPoP: handle,
  });
}
