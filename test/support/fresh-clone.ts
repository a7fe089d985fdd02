/** What git has of this repository, or would have: sources alone, with the installed modules beside them. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './synth';

export function freshClone(dir: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
    mkdirSync(join(dir, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(dir, file));
  }
  for (const modules of ['node_modules', 'proxy/node_modules'].filter((m) => existsSync(join(root, m)))) {
    symlinkSync(join(root, modules), join(dir, modules));
  }
}
