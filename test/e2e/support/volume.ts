/**
 * A mounted ConfigMap or Secret as kubelet keeps it: files are links into `..data`, a link that is swapped for
 * another directory.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class Volume {
  readonly #dir: string;
  #version = 0;

  constructor(dir: string, files: Readonly<Record<string, string>>) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
    this.swap(files);
    for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(dir, name));
  }

  /** All files at once, atomically. */
  swap(files: Readonly<Record<string, string>>): void {
    const next = `..v${++this.#version}`;
    mkdirSync(join(this.#dir, next));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.#dir, next, name), text);
    symlinkSync(next, join(this.#dir, '..data_tmp'));
    renameSync(join(this.#dir, '..data_tmp'), join(this.#dir, '..data'));
    rmSync(join(this.#dir, `..v${this.#version - 1}`), { recursive: true, force: true });
  }
}
