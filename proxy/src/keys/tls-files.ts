import { createSecureContext, type Server as TlsServer } from 'node:tls';
import type { SecretFileOptions } from './secret-file.js';
import { watchFile } from './watched-file.js';

export interface TlsFiles {
  /** The pair as it was read last. */
  current(): { readonly cert: string; readonly key: string } | undefined;
  /** From now on the server shakes hands with the newest pair that fits. */
  follow(server: TlsServer): void;
  /** Looks at the files at once. */
  refresh(): void;
  close(): void;
}

/** Longer than it takes until both files are looked at again. */
const DOUBT_MS = 1_500;

/** A mounted certificate chain and its key, followed through rotations; halves that do not fit each other yet, or at all, leave the last good pair in place. */
export function openTlsFiles({ certFile, keyFile }: { readonly certFile: string; readonly keyFile: string }, { onProblem, onLoaded }: SecretFileOptions): TlsFiles {
  let cert: string | undefined;
  let key: string | undefined;
  let good: { readonly cert: string; readonly key: string } | undefined;
  let server: TlsServer | undefined;
  let doubt: NodeJS.Timeout | undefined;
  const take = () => {
    if (cert === undefined || key === undefined) return;
    clearTimeout(doubt);
    try {
      createSecureContext({ cert, key });
      good = { cert, key };
      server?.setSecureContext(good);
      onLoaded?.();
    } catch (cause) {
      // The other half may be on its way: the two are looked at one after the other.
      doubt = setTimeout(() => onProblem(`${certFile}, ${keyFile}: ${(cause as Error).message}; ${good === undefined ? 'there is no certificate' : 'the pair read before stays in use'}`), DOUBT_MS).unref();
    }
  };
  const files = [
    watchFile(certFile, { onProblem, onContent: (text) => { cert = text; take(); } }),
    watchFile(keyFile, { onProblem, onContent: (text) => { key = text; take(); } }),
  ];
  return {
    current: () => good,
    follow: (target) => { server = target; },
    refresh: () => { for (const file of files) file.check(); },
    close: () => {
      clearTimeout(doubt);
      for (const file of files) file.close();
    },
  };
}
