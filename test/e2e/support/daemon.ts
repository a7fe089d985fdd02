/** A program of the system that tests run beside the gateway. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
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
  #said = '';

  constructor(path: string, args: readonly string[]) {
    this.#child = spawn(path, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#said += chunk.toString();
    });
  }

  get said(): string {
    return this.#said;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return resolve();
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }
}
