/** What a request is let in by, from the options of a command. */
import { createPublicKey } from 'node:crypto';
import { CliError } from './command.js';
import { readPrivateKey } from './key-files.js';
import { mintProof, mintSelfSigned, type ProofParts, type Target, type TokenParts } from './minting.js';
import { hasSigningKey, readSigningKey, type SigningKey } from './signer.js';
import { boundToken, profileOf, thumbprintOf, TOKEN_OPTIONS, tokenParts } from './token.js';

export const CREDENTIAL_OPTIONS = { ...TOKEN_OPTIONS, token: { type: 'string' } } as const;

export const CREDENTIALS_USAGE =
  '(--token ACCESS_TOKEN --key client.pem' +
  ' | --key private.pem --kid KID --iss ISS --aud AUD [--ttl SECONDS]' +
  ' | --profile dpop --key as.pem --kid KID --iss ISS --aud AUD --sub SUB --client-id ID --dpop-key ' +
  'client.pem) [--key-passphrase-file FILE | --signer COMMAND --public KEY]';

export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly token: string }
  /** An access token, and the key that it is bound to. */
  | { readonly kind: 'dpop'; readonly token: string; readonly key: SigningKey }
  /** A token for each request. */
  | { readonly kind: 'selfSigned'; readonly parts: TokenParts };

type Values = Readonly<Record<string, unknown>>;

export async function credentialsOf(values: Values): Promise<Credentials> {
  const { token, 'dpop-key': dpopKey } = values;
  if (typeof token === 'string') {
    if (values.profile !== undefined || values.kid !== undefined)
      throw new CliError('--token', 'must stand without what a token is minted from: --profile, --kid');
    if (!hasSigningKey(values)) return { kind: 'bearer', token };
    return { kind: 'dpop', token, key: readSigningKey(values) };
  }
  if (values.profile === undefined && !hasSigningKey(values)) return { kind: 'none' };
  const parts = tokenParts(values);
  if (profileOf(values) === 'selfSigned') return { kind: 'selfSigned', parts };
  if (typeof dpopKey !== 'string')
    throw new CliError('--dpop-key', 'is required: it is what the proof is signed with');
  const proofKey = readPrivateKey(values, 'dpop-key');
  const jkt = await thumbprintOf(createPublicKey(proofKey));
  return { kind: 'dpop', token: await boundToken(values, parts, jkt), key: proofKey };
}

export const dpopHeaders = async (token: string, key: SigningKey, parts: ProofParts) => ({
  authorization: `DPoP ${token}`,
  dpop: await mintProof(key, { token, ...parts }),
});

export const bearerHeaders = (token: string) => ({ authorization: `Bearer ${token}` });

/** @param nonce that the gateway gave */
export async function credentialHeaders(
  credentials: Credentials,
  target: Target,
  nonce?: string,
): Promise<Record<string, string>> {
  switch (credentials.kind) {
    case 'none':
      return {};
    case 'bearer':
      return bearerHeaders(credentials.token);
    case 'selfSigned':
      return bearerHeaders(await mintSelfSigned(credentials.parts, target));
    case 'dpop':
      return dpopHeaders(credentials.token, credentials.key, { ...target, nonce });
  }
}
