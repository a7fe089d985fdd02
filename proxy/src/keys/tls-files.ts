import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, type Server as TlsServer } from 'node:tls';
import type { SecretFileOptions } from './secret-file.js';
import { watchFile } from './watched-file.js';

export interface TlsFiles {
  /** The pair as it was read last. */
  current(): { readonly cert: string; readonly key: string } | undefined;
  /** Of the pair in use: the file, and when its certificate ends, in seconds since the epoch. */
  expiry(): readonly (readonly [file: string, at: number])[];
  /** From now on the server shakes hands with the newest pair that fits. */
  follow(server: TlsServer): void;
  /** Looks at the files at once. */
  refresh(): void;
  close(): void;
}

/** Longer than it takes until both files are looked at again. */
const DOUBT_MS = 1_500;

/**
 * What is wrong with a certificate chain and its key, both PEM: OpenSSL takes empty ones without a word, and
 * then has none to show.
 */
export function pairProblem(pair: { readonly cert: string; readonly key: string }): string | undefined {
  try {
    endOf(pair.cert);
    createPrivateKey(pair.key);
    createSecureContext(pair);
    return undefined;
  } catch (cause) {
    return (cause as Error).message;
  }
}

type Pair = NonNullable<ReturnType<TlsFiles['current']>>;

/**
 * A mounted certificate chain and its key, followed through rotations; halves that do not fit each other yet,
 * or at all, leave the last good pair in place.
 */
export function openTlsFiles(
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  { onProblem, onLoaded }: SecretFileOptions,
): TlsFiles {
  const read: { cert?: string; key?: string } = {};
  let good: Pair | undefined;
  let server: TlsServer | undefined;
  let doubt: NodeJS.Timeout | undefined;
  let problem: string | undefined;
  const complain = () => {
    clearTimeout(doubt);
    if (problem !== undefined) onProblem(`${certFile}, ${keyFile}: ${problem}; ${whatIsInUse(good)}`);
    problem = undefined;
  };
  const take = () => {
    const { cert, key } = read;
    if (cert === undefined || key === undefined) return;
    clearTimeout(doubt);
    problem = pairProblem({ cert, key });
    if (problem !== undefined) {
      // The other half may be on its way: the two are looked at one after the other.
      doubt = setTimeout(complain, DOUBT_MS).unref();
      return;
    }
    good = { cert, key };
    server?.setSecureContext(good);
    onLoaded?.(`ends ${dateOf(endOf(good.cert))}`);
  };
  const watchHalf = (file: string, half: keyof Pair) =>
    watchFile(file, {
      onProblem,
      onContent: (text) => {
        read[half] = text;
        take();
      },
    });
  const files = [watchHalf(certFile, 'cert'), watchHalf(keyFile, 'key')];
  return {
    current: () => good,
    expiry: () => (good === undefined ? [] : [[certFile, endOf(good.cert)]]),
    follow: (target) => {
      server = target;
    },
    refresh: () => {
      for (const file of files) file.check();
      complain(); // both are what they are now
    },
    close: () => {
      clearTimeout(doubt);
      for (const file of files) file.close();
    },
  };
}

/**
 * Of the first certificate of a chain, which is the server's own; seconds since the epoch. Throws for what is none.
 * OpenSSL takes one whose end is no date.
 */
export function endOf(pem: string): number {
  const { validTo } = new X509Certificate(pem);
  const at = Date.parse(validTo) / 1000;
  if (Number.isNaN(at)) throw new Error(`the certificate ends at no date: ${validTo}`);
  return at;
}

const whatIsInUse = (pair: Pair | undefined): string =>
  pair === undefined ? 'there is no certificate' : 'the pair read before stays in use';

/** Of seconds since the epoch, to the second, in UTC. */
export const dateOf = (seconds: number): string => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
