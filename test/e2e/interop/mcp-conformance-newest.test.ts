/**
 * The newest alpha of the official MCP conformance suite, for both eras of the protocol: the gateway may change no
 * outcome. Scenarios that the server under test has no tools for fail on both sides alike.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  count,
  outcomes,
  passing,
  runSuite,
  startSignedPeers,
  table,
  type Run,
  type SignedPeers,
} from '../peers/conformance-suite.js';
import { expectInterop } from '../support/interop.js';

/** What passes at the server itself: scenarios, and checks of all. */
const REVISIONS: [revision: string, route: string, scenarios: number, checks: number][] = [
  ['2025-11-25', 'mcp', 33, 81],
  ['2026-07-28', 'modern', 27, 114],
];

let signed: SignedPeers;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agw-conformance-'));
  signed = await startSignedPeers((common) => [
    { ...common, name: 'mcp', pathPrefix: '/mcp' },
    {
      ...common,
      name: 'modern',
      pathPrefix: '/modern',
      // Of the revisions that server/discover names, since refusals name them, too.
      revisions: ['2026-07-28'],
      backend: { url: `${common.backend.url}/mcp` },
    },
  ]);
}, 30_000);
afterAll(async () => {
  await signed.stop();
  rmSync(dir, { recursive: true, force: true });
});

it.each(REVISIONS)(
  '%s: every scenario for servers has the same outcomes through the gateway, check by check',
  async (revision, route, scenarios, checks) => {
    const { mcp, relay } = signed;
    const options = ['--suite', 'all', '--spec-version', revision];
    const run = (name: string, url: string): Promise<Run> =>
      runSuite('conformance-newest', join(dir, `${revision}-${name}`), url, options);
    const direct = await run('direct', `http://127.0.0.1:${mcp.port}/mcp`);
    mcp.seen.length = 0;
    const through = await run('through', `${relay.origin}/${route}`);
    process.stdout.write(table(new Map(Object.entries({ direct, through }))));
    expect(outcomes(through.results)).toEqual(outcomes(direct.results));
    expect(passing(direct.results)).toHaveLength(scenarios);
    expect(count(Object.values(direct.results).flat(), 'SUCCESS')).toBe(checks);
    // Not around it: what reached the server has no credentials of the relay's.
    expect(mcp.seen.length).toBeGreaterThan(50);
    expect(mcp.seen.filter(({ headers }) => 'authorization' in headers || 'dpop' in headers)).toEqual([]);
    const same = Object.keys(outcomes(through.results)).length;
    expectInterop(`conformance-${revision}`, [
      `${same} of ${Object.keys(direct.results).length} scenarios alike`,
      `${checks} checks pass on both sides`,
      `${count(Object.values(direct.results).flat(), 'FAILURE')} fail on both, for want of tools in the server`,
    ]);
  },
  150_000,
);
