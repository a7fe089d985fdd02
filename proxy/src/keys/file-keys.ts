import type { Clock } from '../clock.js';
import type { KeySource, VerificationKey } from './key-source.js';
import { describeKeys, keysFor, parseJwks, reportIgnored } from './parse-jwks.js';
import { watchFile } from './watched-file.js';

export interface FileKeysOptions {
  readonly now: Clock;
  readonly onProblem: (problem: string) => void;
  /** Keys of a set that is in use were ignored. */
  readonly onIgnored: (ignored: string) => void;
  /** A new set is in use. @param live what is in it, for a log */
  readonly onLoaded?: ((live: string) => void) | undefined;
}

/** A mounted JWK Set, followed through rotations; a broken file leaves the last good set in place. */
export function openFileKeys(
  file: string,
  { now, onProblem, onIgnored, onLoaded }: FileKeysOptions,
): KeySource {
  let keys: readonly VerificationKey[] = [];
  let ignored = 0;
  let generation = 0;
  let loadedAt = now();
  const watched = watchFile(file, {
    onProblem,
    onContent: (text) => {
      const parsed = parseJwks(text);
      if (!parsed.ok)
        return onProblem(
          `${file}: ${parsed.problems.join('; ')}; ` +
            `${keys.length === 0 ? 'no key is trusted' : 'the keys read before stay in use'}`,
        );
      keys = parsed.keys;
      ignored = parsed.ignored.length;
      reportIgnored(file, parsed.ignored, onIgnored);
      generation += 1;
      loadedAt = now();
      onLoaded?.(describeKeys(keys));
    },
  });
  return {
    find: (kid) => keysFor(keys, kid),
    async refresh() {
      watched.check();
    },
    async refreshFor() {
      watched.check();
    },
    ready: () => keys.length > 0,
    generation: () => generation,
    ignored: () => ignored,
    ageSeconds: () => now() - loadedAt,
    close: () => watched.close(),
  };
}
