/** The requests of `agw smoke`: one that passes, and one for each refusal. */
import { generateKeyPairSync } from 'node:crypto';
import { wallClock } from '../clock.js';
import type { Reason } from '../pipeline/reason.js';
import { bearerHeaders, dpopHeaders, type Credentials } from './credentials.js';
import { mintProof, mintSelfSigned, type Target, type TokenParts } from './minting.js';
import type { SigningKey } from './signer.js';

type Headers = Readonly<Record<string, string>>;

export interface SmokeCheck {
  readonly name: string;
  /** Reasons to be refused with 401, where it must not pass. */
  readonly want: 'passes' | readonly Reason[];
  /** The credentials. @param nonce the newest that the gateway gave */
  readonly headers: (nonce: string | undefined) => Promise<Headers> | Headers;
  /** Never sent again with another nonce: it is the request before, byte by byte. */
  readonly sameAgain?: true;
}

/** Older than any route allows a proof or a self-signed token to be. */
const STALE_SECONDS = 86_400;
const OTHER_METHOD = 'DELETE';

const noCredentials: SmokeCheck = {
  name: 'no-credentials',
  want: ['credentials_missing'],
  headers: () => ({}),
};
const otherMethod = (htm: string) => (htm === OTHER_METHOD ? 'PUT' : OTHER_METHOD);
/** Of the same origin, so that no other name is looked up for it. */
const otherUri = (htu: string) => `${htu.replace(/\/$/, '')}/elsewhere`;

/** The one that passes, and the same bytes a second time. */
function once(fresh: (nonce: string | undefined) => Promise<Headers>, replayed: Reason): SmokeCheck[] {
  let sent: Headers = {};
  return [
    { name: 'good', want: 'passes', headers: async (nonce) => (sent = await fresh(nonce)) },
    { name: 'replay', want: [replayed], headers: () => sent, sameAgain: true },
  ];
}

export function dpopChecks(
  { token, key }: Extract<Credentials, { kind: 'dpop' }>,
  target: Target,
): SmokeCheck[] {
  const proven =
    (change: Partial<Parameters<typeof mintProof>[1]>, by: SigningKey = key) =>
    (nonce: string | undefined) =>
      dpopHeaders(token, by, { ...target, nonce, ...change });
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  return [
    noCredentials,
    {
      name: 'bearer',
      want: ['scheme_refused', 'token_bound'],
      headers: () => bearerHeaders(token),
    },
    { name: 'no-proof', want: ['dpop_missing'], headers: () => ({ authorization: `DPoP ${token}` }) },
    ...once(proven({}), 'dpop_replayed'),
    { name: 'wrong-htm', want: ['dpop_htm_mismatch'], headers: proven({ htm: otherMethod(target.htm) }) },
    { name: 'wrong-htu', want: ['dpop_htu_mismatch'], headers: proven({ htu: otherUri(target.htu) }) },
    {
      name: 'wrong-ath',
      want: ['dpop_ath_mismatch'],
      headers: async (nonce) => ({
        authorization: `DPoP ${token}`,
        dpop: await mintProof(key, { ...target, nonce, token: `${token}x` }),
      }),
    },
    { name: 'foreign-key', want: ['token_key_mismatch'], headers: proven({}, stranger) },
    {
      name: 'stale-iat',
      want: ['dpop_expired'],
      headers: (nonce) => proven({ iat: Math.floor(wallClock()) - STALE_SECONDS })(nonce),
    },
  ];
}

export function selfSignedChecks(parts: TokenParts, target: Target): SmokeCheck[] {
  const minted = (change: Partial<TokenParts & Target>) => async () => {
    const { htm, htu, ...rest } = { ...target, ...parts, ...change };
    return bearerHeaders(await mintSelfSigned(rest, { htm, htu }));
  };
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  return [
    noCredentials,
    ...once(minted({}), 'token_replayed'),
    { name: 'wrong-htm', want: ['token_htm_mismatch'], headers: minted({ htm: otherMethod(target.htm) }) },
    { name: 'wrong-htu', want: ['token_htu_mismatch'], headers: minted({ htu: otherUri(target.htu) }) },
    { name: 'wrong-aud', want: ['token_audience_refused'], headers: minted({ aud: `${parts.aud}x` }) },
    { name: 'foreign-key', want: ['token_signature_bad'], headers: minted({ key: stranger }) },
    {
      name: 'stale-iat',
      want: ['token_expired', 'token_too_old'],
      headers: () => minted({ iat: Math.floor(wallClock()) - STALE_SECONDS })(),
    },
  ];
}
