import { watchFile } from './watched-file.js';

export interface SecretFile {
  /** The credential as the file has it now; `undefined` until there was a usable one. */
  value(): string | undefined;
  /** Looks at the file at once: after a 401 from the backend. */
  refresh(): void;
  close(): void;
}

export interface SecretFileOptions {
  readonly onProblem: (problem: string) => void;
  /** What was read is in use. @param live what it is, for a log; never a secret */
  readonly onLoaded?: ((live: string) => void) | undefined;
}

/**
 * A mounted credential, followed through rotations. One final newline is not part of it; a control character
 * anywhere is a fault, since it ends up in a header.
 */
export function openSecretFile(file: string, { onProblem, onLoaded }: SecretFileOptions): SecretFile {
  let value: string | undefined;
  const watched = watchFile(file, {
    onProblem,
    onContent: (text) => {
      const trimmed = text.replace(/\r?\n$/, '');
      if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(trimmed))
        return onProblem(
          `${file}: must hold one line of visible ASCII; ` +
            `${value === undefined ? 'there is no credential' : 'the one read before stays in use'}`,
        );
      value = trimmed;
      onLoaded?.('another one');
    },
  });
  return { value: () => value, refresh: () => watched.check(), close: () => watched.close() };
}
