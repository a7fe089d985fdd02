// What a client of the gateway makes: tokens with jose, proofs with panva's dpop. Nothing of the code under test.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { generateKeyPair as dpopKeyPair, generateProof } from 'dpop';
import { SignJWT, calculateJwkThumbprint, exportJWK, importPKCS8 } from 'jose';

const now = () => Math.floor(Date.now() / 1000);

/** A client with a proof key of its own. */
export async function createClient() {
  const pair = await dpopKeyPair('ES256', { extractable: true });
  return { pair, thumbprint: await calculateJwkThumbprint(await exportJWK(pair.publicKey)) };
}

/** As an authorization server would issue it (RFC 9068), bound to the thumbprint. */
export async function accessToken({ key, kid, alg, issuer, audience }, thumbprint, claims = {}) {
  return new SignJWT({
    iss: issuer,
    aud: audience,
    sub: 'agent-7',
    client_id: 'demo-agent',
    iat: now(),
    exp: now() + 300,
    jti: randomUUID(),
    cnf: { jkt: thumbprint },
    ...claims,
  })
    .setProtectedHeader({ typ: 'at+jwt', alg, kid })
    .sign(await importPKCS8(readFileSync(key, 'utf8'), alg));
}

/** The headers of one request under RFC 9449. @param nonce of the answer before, if it gave one (8) */
export async function dpopHeaders(client, htm, htu, token, nonce) {
  return {
    authorization: `DPoP ${token}`,
    dpop: await generateProof(client.pair, htu, htm, nonce, token),
  };
}

/** A proof by hand, where the library would not let us lie about time. */
export async function dpopHeadersAt(client, htm, htu, token, iat) {
  const ath = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(token))).toString('base64url');
  const { kty, crv, x, y } = await exportJWK(client.pair.publicKey);
  const proof = await new SignJWT({ jti: randomUUID(), htm, htu, iat, ath })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })
    .sign(client.pair.privateKey);
  return { authorization: `DPoP ${token}`, dpop: proof };
}

/** The headers of one request under the self-signed profile. */
export async function selfSignedHeaders({ key, kid, issuer, audience }, htm, htu, claims = {}) {
  const token = await new SignJWT({
    iss: issuer,
    aud: audience,
    jti: randomUUID(),
    iat: now(),
    exp: now() + 120,
    htm,
    htu,
    ...claims,
  })
    .setProtectedHeader({ alg: 'RS256', kid })
    .sign(await importPKCS8(readFileSync(key, 'utf8'), 'RS256'));
  return { authorization: `Bearer ${token}` };
}
