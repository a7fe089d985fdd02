/** The conformance suite's scenarios for clients with DPoP (SEP-1932), for the client that the other tests use. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectInterop } from '../support/interop.js';

const root = join(import.meta.dirname, '..', '..', '..');
const CLI = join(root, 'node_modules', 'conformance-newest', 'dist', 'index.js');
const CLIENT = join(import.meta.dirname, 'dpop-client.mjs');

interface Check {
  readonly id: string;
  readonly status: string;
}

/** The suite's checks of the client; what the client or the suite exits with is said by them. */
async function checksOf(scenario: string, env: Record<string, string> = {}): Promise<Check[]> {
  const out = mkdtempSync(join(tmpdir(), 'agw-dpop-client-'));
  const args = ['client', '--command', `${process.execPath} ${CLIENT}`, '--scenario', scenario, '-o', out];
  await new Promise<void>((resolve) =>
    execFile(process.execPath, [CLI, ...args], { timeout: 60_000, env: { ...process.env, ...env } }, () =>
      resolve(),
    ),
  );
  const files = readdirSync(out, { recursive: true, encoding: 'utf8' });
  const checks = files
    .filter((file) => file.endsWith('checks.json'))
    .flatMap((file) => JSON.parse(readFileSync(join(out, file), 'utf8')) as Check[]);
  rmSync(out, { recursive: true });
  return checks.filter(({ id }) => id.startsWith('sep-1932-'));
}

const CHECKS = ['token-request-proof', 'dpop-auth-scheme', 'fresh-proof'];
const NONCE_CHECKS = [...CHECKS, 'as-nonce', 'rs-nonce'];

it.each<[string, string[]]>([
  ['auth/dpop', CHECKS],
  ['auth/dpop-nonce', NONCE_CHECKS],
])(
  'a client with DPoP passes %s',
  async (scenario, names) => {
    const expected = names.map((name) => `SUCCESS sep-1932-client-${name}`).sort();
    const checks = await checksOf(scenario);
    expect(checks.map(({ id, status }) => `${status} ${id}`).sort()).toEqual(expected);
    expectInterop(`dpop-client-${scenario.slice(5)}`, [
      `${checks.length} of ${names.length} checks of DPoP pass`,
    ]);
  },
  70_000,
);

it('one that makes no proofs does not', async () => {
  const failed = (await checksOf('auth/dpop', { DPOP: 'off' })).filter(({ status }) => status === 'FAILURE');
  expect(failed.map(({ id }) => id)).toContain('sep-1932-client-dpop-auth-scheme');
}, 70_000);
