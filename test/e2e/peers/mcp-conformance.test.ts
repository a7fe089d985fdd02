/**
 * The official MCP conformance suite against a real MCP server, directly and through the gateway: the gateway
 * may change no outcome.
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
  type Results,
  type Run,
  type SignedPeers,
} from './conformance-suite.js';
import { expectInterop } from '../support/interop.js';
import type { McpPeer } from './mcp-server.js';
import type { Peers } from './peers.js';
import type { SigningRelay } from './signing-relay.js';

/** As many as version 0.1.16 of the suite has; all pass. */
const SCENARIOS = 32;
const PASSED_CHECKS = 45;

const ROUTES = ['mcp', 'ruled'];

let mcp: McpPeer;
let relay: SigningRelay;
let peers: Peers;
let signed: SignedPeers;
let dir: string;
const runs = new Map<string, Run>();
/** What held, for docs/reference/interop.md. */
const held: string[] = [];

async function suite(name: string, url: string, ...options: string[]): Promise<Results> {
  const all = options.length > 0 ? options : ['--suite', 'all'];
  const run = await runSuite('@modelcontextprotocol/conformance', join(dir, name), url, all);
  runs.set(name, run);
  return run.results;
}
const direct = () => runs.get('direct')?.results ?? {};

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agw-conformance-'));
  const allow = [
    'initialize',
    'ping',
    'completion/complete',
    'logging/*',
    'tools/*',
    'resources/*',
    'prompts/*',
    'notifications/*',
  ].map((method) => ({ method }));
  signed = await startSignedPeers((common) => [
    { ...common, name: 'mcp', pathPrefix: '/mcp' },
    { ...common, name: 'ruled', pathPrefix: '/ruled', allow },
  ]);
  ({ mcp, relay, peers } = signed);
  await suite('direct', `http://127.0.0.1:${mcp.port}/mcp`);
}, 90_000);
afterAll(async () => {
  process.stdout.write(table(runs));
  await signed.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  mcp.seen.length = 0;
});

describe("the conformance suite's server scenarios", () => {
  it('pass directly: the server under test is sound', () => {
    expect(passing(direct())).toHaveLength(SCENARIOS);
    expect(count(Object.values(direct()).flat(), 'SUCCESS')).toBe(PASSED_CHECKS);
  });

  // /ruled has an allow-list, for which the gateway reads every message before it passes it on.
  it.each(ROUTES)(
    'have the same outcomes through the gateway, check by check: /%s',
    async (route) => {
      const before = (await peers.reasons(route)).length;
      const through = await suite(route, `${relay.origin}/${route}`);
      expect((await peers.reasons(route)).slice(before).filter((reason) => reason !== 'ok')).toEqual([
        'origin_refused',
      ]);
      expect(outcomes(through)).toEqual(outcomes(direct()));
      expect(passing(through)).toHaveLength(SCENARIOS);
      // Not around it: what reached the server is what the gateway let through, and the one refusal is the
      // foreign Origin.
      const reasons = (await peers.reasons(route)).slice(before);
      expect(reasons.filter((reason) => reason !== 'ok')).toEqual(['origin_refused']);
      expect(mcp.seen.length).toBe(reasons.length - 1);
      expect(mcp.seen.length).toBeGreaterThan(100);
      expect(
        mcp.seen.filter(({ headers }) => headers.authorization !== undefined || headers.dpop !== undefined),
      ).toEqual([]);
      const alike = Object.keys(outcomes(through)).length;
      held.push(`${alike} of ${SCENARIOS} scenarios alike at /${route}`);
    },
    70_000,
  );

  it('have the outcomes that docs/reference/interop.md says', () => {
    const checks = count(Object.values(direct()).flat(), 'SUCCESS');
    expectInterop('conformance-stable', [...held, `${checks} checks pass on both sides`]);
  });

  it('fail when the relay signs nothing: the comparison above could have failed', async () => {
    const { signer } = relay;
    relay.signer = undefined;
    try {
      const through = await suite('unsigned', `${relay.origin}/mcp`, '--scenario', 'tools-list');
      expect(through['tools-list']).toMatchObject([{ id: 'tools-list', status: 'FAILURE' }]);
      expect(mcp.seen).toEqual([]);
    } finally {
      relay.signer = signer;
    }
  }, 70_000);
});
