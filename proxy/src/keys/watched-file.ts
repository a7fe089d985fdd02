import { readFileSync, statSync } from 'node:fs';

export interface WatchedFile {
  /** Reads now, and reports like the watch does if the content is new. */
  check(): void;
  close(): void;
}

export interface WatchOptions {
  /** Content that differs from the last one, also the first; and any after a spell of trouble. */
  readonly onContent: (text: string) => void;
  /** Once for each spell of trouble. */
  readonly onProblem: (problem: string) => void;
}

const POLL_MS = 1_000;

/**
 * Follows a file by asking once a second. kubelet swaps the `..data` symlink of a ConfigMap or Secret volume:
 * the file that inotify would have watched never changes, it goes away. The stat is of what the path leads to
 * now; only a changed one is read.
 */
export function watchFile(path: string, { onContent, onProblem }: WatchOptions): WatchedFile {
  let stamp = '';
  let content: string | undefined;
  let troubled = false;
  const check = () => {
    try {
      const { dev, ino, size, mtimeMs } = statSync(path);
      const now = `${dev} ${ino} ${size} ${mtimeMs}`;
      if (now === stamp) return;
      const text = readFileSync(path, 'utf8');
      stamp = now;
      if (text === content && !troubled) return;
      troubled = false;
      content = text;
      onContent(text);
    } catch (cause) {
      if (!troubled)
        onProblem(
          `${path}: cannot be read (${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}); ` +
            'what was read before stays in use',
        );
      troubled = true;
      stamp = '';
    }
  };
  check();
  const timer = setInterval(check, POLL_MS);
  timer.unref();
  return { check, close: () => clearInterval(timer) };
}
