/** A program of the system that tests run beside the gateway. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/**
 * Its path; not run to find out, since what one program takes for a question starts another. Debian keeps some
 * of them where only root's PATH looks.
 */
export const programOf = (name: string): string | undefined =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
    .map((place) => join(place, name))
    .find(existsSync);

/** Where a program is missing: a failing test in CI, which has it; elsewhere a skipped one that says so. */
export function needs(what: string, missing: readonly string[]): void {
  if (missing.length === 0) return;
  const why = `${missing.join(' and ')} not found`;
  if (process.env.CI)
    it(`${what}: finds what it needs`, () => {
      throw new Error(why);
    });
  else it.skip(`${what}: ${why}`, () => {});
}

export class Daemon {
  readonly #child: ChildProcess;
  /** Of a file without a name: a pipe would fill, and stop the program, while a test waits for another one. */
  readonly #stderr: number;

  /** @param env beside what this process has */
  constructor(path: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const file = join(tmpdir(), `agw-daemon-${randomUUID()}`);
    this.#stderr = openSync(file, 'a+', 0o600);
    rmSync(file);
    this.#child = spawn(path, args, {
      stdio: ['ignore', 'ignore', this.#stderr],
      env: { ...process.env, ...env },
    });
  }

  get said(): string {
    const text = Buffer.alloc(fstatSync(this.#stderr).size);
    readSync(this.#stderr, text, 0, text.length, 0);
    return text.toString();
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return resolve();
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }
}
