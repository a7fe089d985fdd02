/** Tokens and proofs, for commands that print or send them. */
import { hash, randomUUID } from 'node:crypto';
import { exportJWK } from 'jose';
import { wallClock } from '../clock.js';
import { CliError } from './command.js';
import { publicHalfOf, signJwt, type SigningKey } from './signer.js';

/** What a proof or a self-signed token is for. */
export interface Target {
  /** HTTP method, upper case. */
  readonly htm: string;
  /** RFC 9449 4.2: the URI without query and fragment. */
  readonly htu: string;
}

export interface ProofParts extends Target {
  readonly token?: string | undefined;
  readonly nonce?: string | undefined;
  /** Unix seconds; default: now. */
  readonly iat?: number;
}

/** RFC 9449 4.2. */
export async function mintProof(key: SigningKey, { token, nonce, ...parts }: ProofParts): Promise<string> {
  const claims = {
    jti: randomUUID(),
    iat: now(),
    ...parts,
    ...(token === undefined ? {} : { ath: hash('sha256', token, 'base64url') }),
    ...(nonce === undefined ? {} : { nonce }),
  };
  return signJwt({ typ: 'dpop+jwt', jwk: await exportJWK(publicHalfOf(key)) }, claims, key);
}

/** Who signs a token, and for whom. */
export interface TokenParts {
  readonly key: SigningKey;
  readonly kid: string;
  readonly iss: string;
  readonly aud: string;
  readonly ttlSeconds: number;
  /** Unix seconds; default: now. */
  readonly iat?: number;
}

const commonClaims = ({ iss, aud, ttlSeconds, iat = now() }: TokenParts) => ({
  iss,
  aud,
  jti: randomUUID(),
  iat,
  exp: iat + ttlSeconds,
});

/** One token, one request: method, URI and a fresh jti. */
export async function mintSelfSigned(parts: TokenParts, { htm, htu }: Target): Promise<string> {
  const { key, kid } = parts;
  const { asymmetricKeyType } = publicHalfOf(key);
  if (asymmetricKeyType !== 'rsa')
    throw new CliError('--key', 'must be an RSA key: the self-signed profile is RS256', asymmetricKeyType);
  return signJwt({ kid }, { ...commonClaims(parts), htm, htu }, key);
}

export interface BoundTo {
  readonly sub: string;
  readonly clientId: string;
  /** RFC 7638 thumbprint of the proof key. */
  readonly jkt: string;
}

/**
 * An access token as an authorization server would issue it (RFC 9068), bound to a proof key (RFC 9449 6.1):
 * for tests of a gateway.
 */
export async function mintBoundToken(parts: TokenParts, { sub, clientId, jkt }: BoundTo): Promise<string> {
  const { key, kid } = parts;
  const claims = { ...commonClaims(parts), sub, client_id: clientId, cnf: { jkt } };
  return signJwt({ typ: 'at+jwt', kid }, claims, key);
}

const now = () => Math.floor(wallClock());

const parseUrl = (text: string) => (URL.canParse(text) ? new URL(text) : null);

/** A URL that a request can be sent to. @param where for errors: the option that has it */
export function requestUrl(text: string, where: string): URL {
  const url = parseUrl(text);
  const want = 'must be an absolute http or https URL';
  if (url === null || !/^https?:$/.test(url.protocol)) throw new CliError(where, want, JSON.stringify(text));
  if (url.username !== '' || url.password !== '') throw new CliError(where, `${want} without a user`);
  if (text.includes('#'))
    throw new CliError(where, `${want} without fragment`, JSON.stringify(text), 'a fragment is never sent');
  return url;
}

/** RFC 9449 4.2: the URI of a request as a proof has it; what a client would get wrong is refused. */
export function htuOf(text: string, where: string): string {
  const url = parseUrl(text);
  if (url !== null && /[?#]/.test(text))
    throw new CliError(
      where,
      'must have neither query nor fragment (RFC 9449 4.2)',
      JSON.stringify(text),
      `did you mean ${JSON.stringify(text.replace(/[?#].*$/s, ''))}?`,
    );
  requestUrl(text, where);
  return text;
}

/** RFC 9110 9.1: a token; in upper case, as every method that there is. */
export function methodOf(text: string, where: string): string {
  if (!/^[a-z-]+$/i.test(text)) throw new CliError(where, 'must be an HTTP method', JSON.stringify(text));
  return text.toUpperCase();
}
