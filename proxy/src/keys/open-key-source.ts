import type { Clock } from '../clock.js';
import type { Issuer } from '../config/index.js';
import type { Egress } from './egress-proxy.js';
import { openFileKeys } from './file-keys.js';
import type { KeySource } from './key-source.js';
import { openRemoteKeys } from './remote-keys.js';

/** Of an issuer whose tokens are introspected, all of them: no JWT of it verifies. */
const NO_KEYS: KeySource = {
  find: () => [],
  refresh: async () => {},
  refreshFor: async () => {},
  ready: () => true,
  generation: () => 0,
  ignored: () => 0,
  ageSeconds: () => 0,
  close: () => {},
};

export interface KeySourceOptions {
  readonly now: Clock;
  /** Absent: issuers are asked directly. */
  readonly egress?: Egress | undefined;
  readonly onProblem: (problem: string) => void;
  readonly onIgnored: (ignored: string) => void;
  readonly onLoaded?: ((live: string | undefined) => void) | undefined;
}

/** One source an issuer: keys are never pooled (RFC 8725 3.8). */
export function openKeySource(
  { name, issuer, jwks }: Issuer,
  { onProblem, onIgnored, ...rest }: KeySourceOptions,
): KeySource {
  const told = {
    ...rest,
    onProblem: (problem: string) => onProblem(`issuer ${name}: ${problem}`),
    onIgnored: (ignored: string) => onIgnored(`issuer ${name}: ${ignored}`),
  };
  if (jwks === undefined) return NO_KEYS;
  if ('file' in jwks) return openFileKeys(jwks.file, told);
  return openRemoteKeys('url' in jwks ? jwks : { ...jwks, issuer }, told);
}
