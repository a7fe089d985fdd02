import type { Clock } from '../clock.js';
import type { Issuer } from '../config/index.js';
import { openFileKeys } from './file-keys.js';
import type { KeySource } from './key-source.js';
import { openRemoteKeys } from './remote-keys.js';

/** Of an issuer whose tokens are introspected, all of them: no JWT of it verifies. */
const NO_KEYS: KeySource = { find: () => [], refresh: async () => {}, ready: () => true, generation: () => 0, ageSeconds: () => 0, close: () => {} };

export interface KeySourcesOptions {
  readonly now: Clock;
  readonly onProblem: (problem: string) => void;
}

/** One source an issuer, by its name: keys are never pooled (RFC 8725 3.8). */
export function openKeySources(issuers: readonly Issuer[], { now, onProblem }: KeySourcesOptions): ReadonlyMap<string, KeySource> {
  return new Map(issuers.map(({ name, jwks }) => {
    const told = { now, onProblem: (problem: string) => onProblem(`issuer ${name}: ${problem}`) };
    if (jwks === undefined) return [name, NO_KEYS];
    return [name, 'url' in jwks ? openRemoteKeys(jwks, told) : openFileKeys(jwks.file, told)];
  }));
}
