/** Raw builders: they can make anything, also what no library would. Not one line of the code under test. */
import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';

export interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const rsa = (modulusLength = 2048): Pair => generateKeyPairSync('rsa', { modulusLength });
export const ec = (namedCurve = 'P-256'): Pair => generateKeyPairSync('ec', { namedCurve });
export const ed25519 = (): Pair => generateKeyPairSync('ed25519');

export const jwkOf = ({ publicKey }: Pair): Record<string, unknown> => publicKey.export({ format: 'jwk' });
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');
export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** RFC 7638 3.2 for the three key types. */
export function thumbprint(pair: Pair): string {
  const { kty, crv, x, y, n, e } = jwkOf(pair) as Record<string, string>;
  if (kty === 'RSA') return sha256(JSON.stringify({ e, kty, n }));
  return sha256(JSON.stringify(kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x }));
}

export function signature(alg: unknown, key: KeyObject, input: string): string {
  const data = Buffer.from(input);
  switch (alg) {
    case 'ES256':
      return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    case 'ES384':
      return sign('sha384', data, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    case 'PS256':
      return sign('sha256', data, { key, padding: 6, saltLength: 32 }).toString('base64url');
    case 'EdDSA':
    case 'Ed25519':
      return sign(null, data, key).toString('base64url');
    default:
      return sign('sha256', data, key).toString('base64url');
  }
}

/** `header` and `payload` may be objects or JSON text. */
export function jws(header: unknown, payload: unknown, key: KeyObject): string {
  const alg =
    typeof header === 'string'
      ? (JSON.parse(header) as { alg: unknown }).alg
      : (header as { alg: unknown }).alg;
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${signature(alg, key, input)}`;
}

export const seconds = (): number => Math.floor(Date.now() / 1000);
const without = (o: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined));

export interface ProofParts {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
}

/** A sound ES256 proof; `undefined` in `parts` removes a member. */
export function proof(
  pair: Pair,
  htm: string,
  htu: string,
  token: string,
  { header, claims }: ProofParts = {},
): string {
  const { kty, crv, x, y, n, e } = jwkOf(pair);
  return jws(
    without({ typ: 'dpop+jwt', alg: 'ES256', jwk: without({ kty, crv, x, y, n, e }), ...header }),
    without({ jti: randomUUID(), htm, htu, iat: seconds(), ath: sha256(token), ...claims }),
    pair.privateKey,
  );
}

export function accessToken(
  as: Pair,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): string {
  return jws(
    without({ typ: 'at+jwt', alg: 'RS256', kid: 'as-1', ...header }),
    without({
      iss: 'https://as.example',
      sub: 'agent-7',
      client_id: 'agent',
      aud: 'https://gw.example/mcp',
      iat: seconds(),
      exp: seconds() + 300,
      jti: randomUUID(),
      ...claims,
    }),
    as.privateKey,
  );
}

export function selfSignedToken(
  pair: Pair,
  htm: string,
  htu: string,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  return jws(
    without({ typ: 'JWT', alg: 'RS256', kid: 'my-key-1', ...header }),
    without({
      iss: 'my-app-aiops',
      aud: 'mcp-gateway',
      jti: randomUUID(),
      iat: seconds(),
      exp: seconds() + 300,
      htm,
      htu,
      ...claims,
    }),
    pair.privateKey,
  );
}
