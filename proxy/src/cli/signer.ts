/** Who signs: a private key in a file, or a command that has one which must not be a file (PKCS #11, a KMS, Vault). */
import { spawnSync } from 'node:child_process';
import { createPublicKey, KeyObject, type JsonWebKey } from 'node:crypto';
import { SignJWT, type JWTPayload } from 'jose';
import { verifies } from '../checks/signature.js';
import { CliError, required } from './command.js';
import { algorithmOf, PASSPHRASE_OPTION, readPrivateKey, readPublicKey, readText } from './key-files.js';

/** Of every command whose `--key` signs. */
export const SIGNER_OPTIONS = {
  key: { type: 'string' },
  signer: { type: 'string' },
  public: { type: 'string' },
  ...PASSPHRASE_OPTION,
} as const;

/** A shell command: it gets the signing input (RFC 7515 5.1) on stdin and prints the signature in base64url. */
export interface ExternalSigner {
  readonly command: string;
  readonly publicKey: KeyObject;
}

export type SigningKey = KeyObject | ExternalSigner;

/** Whoever has to touch a token has the time to. */
const SIGNER_MS = 60_000;
const MAX_OUTPUT_BYTES = 65_536;

type Values = Readonly<Record<string, unknown>>;

export const hasSigningKey = ({ key, signer }: Values): boolean => key !== undefined || signer !== undefined;

export function readSigningKey(values: Values): SigningKey {
  if (values.signer === undefined) return readPrivateKey(values, 'key');
  if (values.key !== undefined) throw new CliError('--signer', 'must stand without --key');
  return { command: required(values, 'signer'), publicKey: readPublicHalf(values) };
}

/** A JWK, or PEM. */
function readPublicHalf(values: Values): KeyObject {
  const file = required(values, 'public');
  const text = readText(file, 'public');
  if (!text.trimStart().startsWith('{')) return readPublicKey(values, 'public');
  try {
    return createPublicKey({ key: JSON.parse(text) as JsonWebKey, format: 'jwk' });
  } catch {
    throw new CliError('--public', 'must be a public key, as a JWK or in PEM', file);
  }
}

export const publicHalfOf = (key: SigningKey): KeyObject =>
  key instanceof KeyObject ? createPublicKey(key) : key.publicKey;

/** RFC 7515 3.1. The algorithm is the one of the key. */
export async function signJwt(
  header: Readonly<Record<string, unknown>>,
  claims: JWTPayload,
  key: SigningKey,
): Promise<string> {
  const alg = algorithmOf(publicHalfOf(key), key instanceof KeyObject ? 'key' : 'public');
  if (key instanceof KeyObject) return new SignJWT(claims).setProtectedHeader({ ...header, alg }).sign(key);
  const input = `${encoded({ ...header, alg })}.${encoded(claims)}`;
  const signature = askSigner(key, input);
  // A signature that does not verify would be refused much later, by somebody who cannot say why.
  if (!verifies(alg, key.publicKey, input, signature))
    throw new CliError(
      '--signer',
      `must print a signature of ${alg} by the key of --public, in base64url`,
      JSON.stringify(signature.slice(0, 40)),
      alg.startsWith('ES') ? 'JWS has r and s one after the other, not DER (RFC 7518 3.4)' : undefined,
    );
  return `${input}.${signature}`;
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function askSigner({ command }: ExternalSigner, input: string): string {
  const { status, signal, stdout, error } = spawnSync('sh', ['-c', command], {
    input,
    encoding: 'utf8',
    timeout: SIGNER_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // A command that does not read its input closes the pipe: what it prints is judged like everything else.
  const failed = error !== undefined && (error as NodeJS.ErrnoException).code !== 'EPIPE';
  if (failed || status !== 0)
    throw new CliError(
      '--signer',
      `must end with 0 within ${SIGNER_MS / 1000} s`,
      failed ? error.message : String(signal ?? status),
    );
  return stdout.trim();
}
