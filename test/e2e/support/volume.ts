/**
 * A mounted ConfigMap or Secret as kubelet keeps it: files are links into `..data`, a link that is swapped for
 * another directory.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export class Volume {
  readonly #dir: string;
  #version = 0;

  /** @param files by path, whose first part is the link */
  constructor(dir: string, files: Readonly<Record<string, string>>) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
    this.swap(files);
    const names = new Set(Object.keys(files).map((path) => path.split('/')[0]!));
    for (const name of names) symlinkSync(join('..data', name), join(dir, name));
  }

  /** All files at once, atomically. */
  swap(files: Readonly<Record<string, string>>): void {
    const next = `..v${++this.#version}`;
    mkdirSync(join(this.#dir, next));
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.#dir, next, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    symlinkSync(next, join(this.#dir, '..data_tmp'));
    renameSync(join(this.#dir, '..data_tmp'), join(this.#dir, '..data'));
    rmSync(join(this.#dir, `..v${this.#version - 1}`), { recursive: true, force: true });
  }
}
