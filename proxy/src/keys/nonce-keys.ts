import { createHash } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { NonceKeys } from './key-source.js';
import { watchFile } from './watched-file.js';

export interface NonceKeysOptions {
  readonly now: Clock;
  /** How long a key that left the file still verifies: as long as its nonces live. */
  readonly keepSeconds: number;
  readonly onProblem: (problem: string) => void;
  /** A new ring is in use. */
  readonly onLoaded?: ((live: string) => void) | undefined;
}

const MIN_LENGTH = 32;
const MAX_KEYS = 10;

export type ParsedNonceKeys =
  { readonly ok: true; readonly keys: readonly Buffer[] } | { readonly ok: false; readonly problem: string };

/**
 * One secret a line; empty lines count as nothing. The key is its SHA-256, so that any text of enough entropy
 * will do.
 */
export function parseNonceKeys(text: string): ParsedNonceKeys {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  if (lines.length === 0 || lines.length > MAX_KEYS)
    return { ok: false, problem: `must hold 1 to ${MAX_KEYS} lines, got ${lines.length}` };
  const short = lines.findIndex((line) => !/^[\x21-\x7e]+$/.test(line) || line.length < MIN_LENGTH);
  if (short !== -1)
    return {
      ok: false,
      problem:
        `line ${short + 1}: must be at least ${MIN_LENGTH} visible ASCII characters; make one with: ` +
        'openssl rand -base64 32',
    };
  if (new Set(lines).size !== lines.length)
    return { ok: false, problem: 'must not hold the same secret twice' };
  return { ok: true, keys: lines.map((line) => createHash('sha256').update(line).digest()) };
}

/**
 * The key ring of nonces, followed through rotations: append a secret, wait until every replica has it, then
 * delete the first line. Every replica accepts what any other makes at each of these moments. A broken file
 * leaves the last good ring in place.
 */
export function openNonceKeys(
  file: string,
  { now, keepSeconds, onProblem, onLoaded }: NonceKeysOptions,
): NonceKeys {
  let ring: readonly Buffer[] = [];
  let retired: readonly { readonly key: Buffer; readonly until: number }[] = [];
  let all: readonly Buffer[] = [];
  const watched = watchFile(file, {
    onProblem,
    onContent: (text) => {
      const parsed = parseNonceKeys(text);
      if (!parsed.ok)
        return onProblem(
          `${file}: ${parsed.problem};` +
            ` ${ring.length === 0 ? 'there is no nonce key' : 'the keys read before stay in use'}`,
        );
      const gone = ring.filter((key) => !parsed.keys.some((other) => other.equals(key)));
      ring = parsed.keys;
      retired = [
        ...retired.filter(({ until }) => until > now()),
        ...gone.map((key) => ({ key, until: now() + keepSeconds })),
      ];
      all = [...ring, ...retired.map(({ key }) => key)];
      onLoaded?.(`${ring.length} ${ring.length === 1 ? 'secret' : 'secrets'}`);
    },
  });
  return {
    current: () => ring[0],
    accepted() {
      if (retired.length > 0 && retired[0]!.until <= now()) {
        retired = retired.filter(({ until }) => until > now());
        all = [...ring, ...retired.map(({ key }) => key)];
      }
      return all;
    },
    refresh: () => watched.check(),
    close: () => watched.close(),
  };
}
