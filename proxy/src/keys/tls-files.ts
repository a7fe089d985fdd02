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

/** A mounted certificate chain and its key, followed through rotations; halves that do not fit each other yet, or at all, leave the last good pair in place. */
export function openTlsFiles({ certFile, keyFile }: { readonly certFile: string; readonly keyFile: string }, { onProblem, onLoaded }: SecretFileOptions): TlsFiles {
  let cert: string | undefined;
  let key: string | undefined;
  let good: { readonly cert: string; readonly key: string } | undefined;
  let server: TlsServer | undefined;
  const take = () => {
    if (cert === undefined || key === undefined) return;
    try {
      createSecureContext({ cert, key });
      good = { cert, key };
      server?.setSecureContext(good);
      onLoaded?.();
    } catch (cause) {
      onProblem(`${certFile}, ${keyFile}: ${(cause as Error).message}; ${good === undefined ? 'there is no certificate' : 'the pair read before stays in use'}`);
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
    close: () => { for (const file of files) file.close(); },
  };
}
