/** Parts that no lock file has: installed once into node_modules/.cache by their own package managers. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '..', '..', '..', 'node_modules', '.cache', 'agw-peers');
const TIMEOUT_MS = 180_000;

export type Installed = { readonly dir: string } | { readonly missing: string };

/** Whole or not there: an installation that breaks off leaves nothing that looks like one. */
function once(name: string, install: (dir: string) => void): Installed {
  const dir = join(CACHE, name);
  if (existsSync(join(dir, 'installed'))) return { dir };
  try {
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    install(dir);
    writeFileSync(join(dir, 'installed.new'), '');
    renameSync(join(dir, 'installed.new'), join(dir, 'installed'));
    return { dir };
  } catch (cause) {
    rmSync(dir, { recursive: true, force: true });
    const [first = ''] = String((cause as { stderr?: Buffer }).stderr ?? cause).split('\n');
    return { missing: `could not be installed: ${first.slice(0, 120)}` };
  }
}

const run = (command: string, args: readonly string[], cwd?: string) =>
  execFileSync(command, args, { cwd, timeout: TIMEOUT_MS, stdio: 'pipe' });

/** A virtual environment with what the file lists, exactly. */
export function installPython(requirements: string): Installed {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  return once(`python-${hash}`, (dir) => {
    run('python3', ['-m', 'venv', dir]);
    run(join(dir, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  });
}

/** A package and what it needs; nothing of it is run at its installation. */
export function installNpm(name: string, version: string): Installed {
  return once(`${name.replace(/\W+/g, '-')}-${version}`, (dir) => {
    writeFileSync(join(dir, 'package.json'), '{ "private": true }');
    run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`], dir);
  });
}
