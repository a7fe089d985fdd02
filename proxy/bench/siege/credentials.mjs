// Access tokens and proofs, for the honest client and for attackers. Keys travel between processes as PEM.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign,
} from 'node:crypto';

const ALGORITHMS = {
  ES256: { curve: 'P-256', hash: 'sha256' },
  ES384: { curve: 'P-384', hash: 'sha384' },
};
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const sha256 = (text) => createHash('sha256').update(text).digest('base64url');

export const newKey = (alg = 'ES256') =>
  generateKeyPairSync('ec', { namedCurve: ALGORITHMS[alg].curve }).privateKey.export({
    format: 'pem',
    type: 'pkcs8',
  });
export const newIssuerKey = () =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'pem', type: 'pkcs8' });

/** The issuer's JWK Set, as its text. */
export function jwksOf(issuerPem) {
  const jwk = createPublicKey(issuerPem).export({ format: 'jwk' });
  return JSON.stringify({ keys: [{ ...jwk, kid: 'as-1', alg: 'RS256', use: 'sig' }] });
}

/**
 * One caller: a subject with a token and the key that the token is bound to.
 * @param origin public origin of the gateway
 * @param opaque a token that only introspection can tell of, instead of a JWT
 */
export function createCaller({ issuerPem, origin, sub, alg = 'ES256', opaque }) {
  const privateKey = createPrivateKey(newKey(alg));
  const { kty, crv, x, y } = createPublicKey(privateKey).export({ format: 'jwk' });
  const jkt = sha256(JSON.stringify({ crv, kty, x, y }));
  const header = encode({ typ: 'dpop+jwt', alg, jwk: { kty, crv, x, y } });
  const token = opaque === undefined ? jwtOf({ issuerPem, origin, sub, jkt }) : opaque(jkt);
  const proof = (method, { token: of = token, path = '/mcp' } = {}) => {
    const iat = Math.floor(Date.now() / 1000);
    const claims = { jti: randomUUID(), htm: method, htu: origin + path, iat, ath: sha256(of) };
    const input = `${header}.${encode(claims)}`;
    const key = { key: privateKey, dsaEncoding: 'ieee-p1363' };
    return `${input}.${sign(ALGORITHMS[alg].hash, Buffer.from(input), key).toString('base64url')}`;
  };
  return { token, jkt, proof };
}

function jwtOf({ issuerPem, origin, sub, jkt }) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'https://as.example',
    sub,
    client_id: sub,
    aud: `${origin}/mcp`,
    iat: now,
    exp: now + 3600,
    jti: randomUUID(),
    cnf: { jkt },
  };
  const input = `${encode({ typ: 'at+jwt', alg: 'RS256', kid: 'as-1' })}.${encode(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), issuerPem).toString('base64url')}`;
}
