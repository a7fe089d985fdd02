import type { Clock } from '../clock.js';
import type { Issuer } from '../config/index.js';
import { openFileKeys } from './file-keys.js';
import type { KeySource } from './key-source.js';
import { openRemoteKeys } from './remote-keys.js';

export interface KeySourcesOptions {
  readonly now: Clock;
  readonly onProblem: (problem: string) => void;
}

/** One source an issuer, by its name: keys are never pooled (RFC 8725 3.8). */
export function openKeySources(issuers: readonly Issuer[], { now, onProblem }: KeySourcesOptions): ReadonlyMap<string, KeySource> {
  return new Map(issuers.map(({ name, jwks }) => {
    const told = { now, onProblem: (problem: string) => onProblem(`issuer ${name}: ${problem}`) };
    return [name, 'url' in jwks ? openRemoteKeys(jwks, told) : openFileKeys(jwks.file, told)];
  }));
}
