import { createPrivateKey, createPublicKey, randomUUID, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Algorithm } from '../config/index.js';
import { CliError, required } from './command.js';
import { askSecret } from './terminal.js';
import { visible } from './visible.js';

export function readText(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError(
      `--${option}`,
      'must be a readable file',
      `${file} (${(cause as NodeJS.ErrnoException).code})`,
    );
  }
}

/** Of every command that reads keys: a file with the passphrase of those that are encrypted. */
export const PASSPHRASE_OPTION = { 'key-passphrase-file': { type: 'string' } } as const;
const PASSPHRASE = 'key-passphrase-file';

type Values = Readonly<Record<string, unknown>>;

/** @param option of `values` that names its file */
export const readPrivateKey = (values: Values, option: string): KeyObject =>
  readKey(createPrivateKey, values, option, 'must be a private key in PEM');

/** Of a private key, its public half: a JWK Set never gets more. */
export const readPublicKey = (values: Values, option: string): KeyObject =>
  readKey(createPublicKey, values, option, 'must be a key in PEM');

/** PKCS #8 (RFC 5958), and what OpenSSL wrote before it. */
const IS_ENCRYPTED = /^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m;

function readKey(
  create: (input: { key: string; passphrase?: string }) => KeyObject,
  values: Values,
  option: string,
  want: string,
): KeyObject {
  const file = required(values, option);
  const key = readText(file, option);
  const passphrase = IS_ENCRYPTED.test(key) ? readPassphrase(values, option, file) : undefined;
  try {
    return create(passphrase === undefined ? { key } : { key, passphrase });
  } catch {
    if (passphrase === undefined)
      throw new CliError(`--${option}`, want, file, 'make one with "agw keys generate"');
    throw new CliError(`--${PASSPHRASE}`, `must have the passphrase of ${file}`);
  }
}

/** Of a file, without the line end that editors and `echo` write; else of whoever sits at the terminal. */
function readPassphrase(values: Values, option: string, keyFile: string): string {
  const file = values[PASSPHRASE];
  if (typeof file === 'string') return readText(file, PASSPHRASE).replace(/\r?\n$/, '');
  const typed = askSecret(`Passphrase of ${visible(keyFile)}: `);
  if (typed !== undefined) return typed;
  throw new CliError(
    `--${option}`,
    `needs --${PASSPHRASE}`,
    `${keyFile}, which is encrypted`,
    'a pipe will do: <(pass show key)',
  );
}

/** The algorithm a key signs with, where the user names none. */
export function algorithmOf(key: KeyObject, option: string): Algorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa') return 'RS256';
  if (type === 'ed25519') return 'EdDSA';
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return 'ES256';
  if (type === 'ec' && details?.namedCurve === 'secp384r1') return 'ES384';
  throw new CliError(
    `--${option}`,
    'must be an RSA, P-256, P-384 or Ed25519 key',
    String(details?.namedCurve ?? type),
  );
}

/** New files only, unless told otherwise: a key that is overwritten is gone. */
export function mustBeNew(file: string, option: string, next = 'name another file, or say --force'): void {
  if (existsSync(file)) throw new CliError(`--${option}`, 'must not exist yet', file, next);
}

/** Whole or not at all: a reader never sees half a file. */
export function replaceFile(file: string, text: string, mode: number): void {
  const next = `${file}.${randomUUID()}`;
  // a file that lay there would keep its own mode, a link would lead the key elsewhere
  writeFileSync(next, text, { mode, flag: 'wx' });
  renameSync(next, file);
}
