import { createPrivateKey, createPublicKey, randomUUID, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Algorithm } from '../config/index.js';
import { CliError } from './command.js';

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

export function readPrivateKey(file: string, option: string): KeyObject {
  try {
    return createPrivateKey(readText(file, option));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError(
      `--${option}`,
      'must be a private key in PEM',
      file,
      'make one with "agw keys generate"',
    );
  }
}

/** Of a private key, its public half: a JWK Set never gets more. */
export function readPublicKey(file: string, option: string): KeyObject {
  try {
    return createPublicKey(readText(file, option));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError(`--${option}`, 'must be a key in PEM', file, 'make one with "agw keys generate"');
  }
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
