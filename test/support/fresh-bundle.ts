/**
 * The library reads the proxy's parser from assets/: tests against one that is older than proxy/src would show
 * nothing.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const BUNDLE = join(root, 'assets', 'config.cjs');

export default function bundleIfOlder(): void {
  const sources = [
    join(root, 'proxy', 'bundle.mjs'),
    ...readdirSync(join(root, 'proxy', 'src'), { recursive: true, encoding: 'utf8' }).map((file) =>
      join(root, 'proxy', 'src', file),
    ),
  ];
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  if (existsSync(BUNDLE) && statSync(BUNDLE).mtimeMs >= newest) return;
  process.stdout.write('assets/ is older than proxy/src: bundling\n');
  execFileSync('npm', ['run', '--silent', 'bundle', '-w', 'proxy'], { cwd: root, stdio: 'inherit' });
}
