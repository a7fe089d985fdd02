// The tests of the rooms that touch Node itself, on the newest Node 24 and the newest 26: what a pod may run next.
//   npm run test:node [-- MAJOR ...]
// The whole suite takes six minutes a version, these about three. Left out is what stands on other libraries or on
// ours alone: config, profiles, replay, limit, observe, cli. Node comes from the package `node`, as the
// devDependency does, into node_modules/.cache; where the registry does not have it the version is skipped, with why.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const OURS = readFileSync(join(root, '.node-version'), 'utf8').trim();
const MAJORS = ['24', '26'];
/** Paths of tests, as jest takes them, and what of Node they stand on. */
const ROOMS = {
  'proxy/test/(http|malformed)/': "node:http's parser and node:http2's header blocks, on real bytes",
  'proxy/test/http2.test': 'node:http2 and node:tls: sessions, streams, certificates of clients',
  'proxy/test/upstream/': "node:http's client: reuse, streams, what is cut off",
  'proxy/test/keys/': 'files that change, fetch, X.509',
  'proxy/test/checks/': 'node:crypto: signatures in every form',
  'proxy/test/rotations': 'certificates and keys that are replaced under open connections',
  'test/conformance/(rfc7518|rfc8037|rfc8705|rfc9112|rfc9449/4.3-06)': 'keys and signatures of the RFCs',
};

const majors = process.argv.slice(2).filter((arg) => arg !== '--');
for (const major of majors)
  if (!/^\d+$/.test(major)) throw new Error(`test:node: must be major versions, as ${MAJORS}, got ${major}`);

/** The newest of a major that the registry has; or why there is none. */
function newestOf(major) {
  try {
    const text = execFileSync('npm', ['view', `node@${major}`, 'version', '--json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const versions = [JSON.parse(text || '[]')].flat();
    const parts = (version) => version.split('.').map(Number);
    const [newest] = versions.sort((a, b) => parts(b)[1] - parts(a)[1] || parts(b)[2] - parts(a)[2]);
    return newest === undefined ? { why: `the registry has no node@${major}` } : { version: newest };
  } catch (cause) {
    return { why: reasonOf(cause) };
  }
}

/** What npm said, or what else went wrong, in one line. */
const reasonOf = (cause) =>
  String(cause.stderr || cause.message)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 2)
    .join('; ');

/** Where the program of a version is; installed there if it is not yet. */
function install(version) {
  const dir = join(root, 'node_modules', '.cache', 'node', version);
  const program = join(dir, 'node_modules', 'node', 'bin', 'node');
  if (!existsSync(program)) {
    mkdirSync(dir, { recursive: true });
    execFileSync(
      'npm',
      ['install', '--prefix', dir, '--no-audit', '--no-fund', '--silent', `node@${version}`],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
  }
  const runs = execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
  if (runs !== `v${version}`) throw new Error(`${program}: must be v${version}, got ${runs}`);
  return program;
}

/** Whether the rooms pass on it; their report is test-reports/node-MAJOR.xml. */
function test(program, version) {
  const { status } = spawnSync(
    program,
    [
      '--disable-warning=ExperimentalWarning',
      '--experimental-vm-modules',
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      ...Object.keys(ROOMS),
    ],
    {
      cwd: join(root, 'proxy'),
      stdio: 'inherit',
      env: {
        ...process.env,
        PATH: `${dirname(program)}${delimiter}${process.env.PATH}`,
        JEST_JUNIT_OUTPUT_NAME: `node-${version.split('.', 1)[0]}.xml`,
      },
    },
  );
  return status === 0;
}

const count = { passed: 0, failed: 0, skipped: 0 };
for (const major of majors.length === 0 ? MAJORS : majors) {
  const found = newestOf(major);
  if (found.version === OURS) {
    console.log(`node ${major}: ${OURS} is the newest, and what npm test runs on`);
    continue;
  }
  let program;
  try {
    program = found.version && install(found.version);
  } catch (cause) {
    found.why = reasonOf(cause);
  }
  if (program === undefined) {
    console.log(`node ${major}: skipped, ${found.why}`);
    count.skipped += 1;
    continue;
  }
  console.log(`node ${major}: ${found.version}`);
  count[test(program, found.version) ? 'passed' : 'failed'] += 1;
}
console.log(`node: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exitCode = count.failed === 0 ? 0 : 1;
