import type { Clock } from '../clock.js';
import type { SecretFileOptions } from './secret-file.js';
import { dateOf, endOf } from './tls-files.js';
import { watchFile } from './watched-file.js';

export interface RootCertificates {
  /** PEM, as it was read last; `undefined` until there was something usable. */
  current(): string | undefined;
  /**
   * Of those in use: the file, and when the next of its certificates ends, in seconds since the epoch. Public bundles
   * hold some that ended long ago, so these do not count while there are others.
   */
  expiry(): readonly (readonly [file: string, at: number])[];
  /** Looks at the file at once. */
  refresh(): void;
  close(): void;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * What is wrong with a file of root certificates: OpenSSL takes an empty one, or half of one, without a word,
 * and then trusts nobody.
 */
export function rootsProblem(text: string): string | undefined {
  const found = text.match(CERTIFICATE);
  if (found === null) return 'must hold PEM certificates, got none';
  const bad = found.findIndex((pem) => !isCertificate(pem));
  return bad === -1
    ? undefined
    : `must hold PEM certificates, got something else in place ${bad + 1} of ${found.length}`;
}

function isCertificate(pem: string): boolean {
  try {
    endOf(pem);
    return true;
  } catch {
    return false;
  }
}

export interface RootCertificatesOptions extends SecretFileOptions {
  readonly clock: Clock;
  /** Whoever uses it reads it for every connection; else once, when it is opened. Absent: followed. */
  readonly isFollowed?: boolean;
}

/** A mounted bundle of root certificates, followed through rotations; a broken one leaves the one before in place. */
export function openRootCertificates(
  file: string,
  { onProblem, onLoaded, clock, isFollowed = true }: RootCertificatesOptions,
): RootCertificates {
  let good: { readonly pem: string; readonly ends: readonly number[] } | undefined;
  const watched = watchFile(file, {
    onProblem,
    onContent: (text) => {
      if (good !== undefined && !isFollowed) return;
      const problem = rootsProblem(text);
      if (problem !== undefined)
        return onProblem(
          `${file}: ${problem}; ${good === undefined ? 'no backend is trusted' : 'those read before stay in use'}`,
        );
      good = { pem: text, ends: endsOf(text) };
      const { length } = good.ends;
      const first = `the first ends ${dateOf(nextEnd(good.ends, clock()))}`;
      onLoaded?.(`${length} ${length === 1 ? 'certificate' : 'certificates'}, ${first}`);
    },
  });
  return {
    current: () => good?.pem,
    expiry: () => (good === undefined ? [] : [[file, nextEnd(good.ends, clock())]]),
    refresh: () => watched.check(),
    close: () => watched.close(),
  };
}

/** When each certificate ends, the first one first. */
const endsOf = (pem: string): readonly number[] =>
  pem
    .match(CERTIFICATE)!
    .map(endOf)
    .toSorted((a, b) => a - b);

const nextEnd = (ends: readonly number[], now: number): number =>
  ends.find((end) => end > now) ?? ends.at(-1)!;
