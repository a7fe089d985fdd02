/**
 * The official MCP conformance suite against a real MCP server, directly and through the gateway: the gateway
 * may change no outcome.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair } from 'dpop';
import * as client from 'openid-client';
import { startPeers, type Peers } from './peers.js';
import { startMcpServer, type McpPeer } from './mcp-server.js';
import { startSigningRelay, type SigningRelay } from './signing-relay.js';

const CLI = join(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'node_modules',
  '@modelcontextprotocol',
  'conformance',
  'dist',
  'index.js',
);
/** As many as version 0.1.16 of the suite has; all pass. */
const SCENARIOS = 32;
const PASSED_CHECKS = 45;

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}
type Results = Record<string, readonly Check[]>;

const ROUTES = ['mcp', 'ruled'];

let mcp: McpPeer;
let relay: SigningRelay;
let peers: Peers;
let dir: string;
const runs = new Map<string, { readonly results: Results; readonly seconds: number }>();

/** Runs the suite's CLI as it is, at most a minute; the checks of every scenario as it wrote them to files. */
async function suite(name: string, url: string, ...options: string[]): Promise<Results> {
  const out = join(dir, name);
  const began = performance.now();
  const args = [
    CLI,
    'server',
    '--url',
    url,
    '-o',
    out,
    ...(options.length > 0 ? options : ['--suite', 'all']),
  ];
  await new Promise<void>((resolve) =>
    execFile(process.execPath, args, { timeout: 60_000, killSignal: 'SIGKILL' }, () => resolve()),
  ); // its exit code says what the files say
  const seconds = (performance.now() - began) / 1000;
  const results = Object.fromEntries(
    readdirSync(out)
      .sort()
      .map((folder) => [
        /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(folder)![1]!,
        checksOf(join(out, folder, 'checks.json')),
      ]),
  );
  runs.set(name, { results, seconds });
  return results;
}
/** None of a scenario that did not end: it then has another outcome than the direct run. */
const checksOf = (file: string) =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Check[]) : [];
const count = (checks: readonly Check[] = [], status: string) =>
  checks.filter((check) => check.status === status).length;
const outcome = ({ id, status, errorMessage = '' }: Check) => `${status} ${id} ${errorMessage}`;
const outcomes = (results: Results) =>
  Object.fromEntries(Object.entries(results).map(([name, checks]) => [name, checks.map(outcome)]));
const passing = (results: Results) =>
  Object.keys(results).filter(
    (name) => count(results[name], 'SUCCESS') > 0 && count(results[name], 'FAILURE') === 0,
  );
/** One line a scenario, one column a run: checks passed, failed, warned. */
function table(): string {
  const columns = ['direct', ...ROUTES];
  const line = (name: string, cells: readonly string[]) =>
    name.padEnd(34) + cells.map((cell) => cell.padEnd(16)).join('');
  const cell = (checks?: readonly Check[]) =>
    ['SUCCESS', 'FAILURE', 'WARNING'].map((status) => count(checks, status)).join('  ');
  return [
    line(
      'scenario (passed, failed, warned)',
      columns.map((run) => `${run} ${runs.get(run)?.seconds.toFixed(1) ?? '-'} s`),
    ),
    ...Object.keys(direct()).map((name) =>
      line(
        name,
        columns.map((run) => cell(runs.get(run)?.results[name])),
      ),
    ),
    '',
  ].join('\n');
}
const direct = () => runs.get('direct')?.results ?? {};

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agw-conformance-'));
  mcp = await startMcpServer();
  relay = await startSigningRelay();
  const backend = { url: `http://127.0.0.1:${mcp.port}` };
  peers = await startPeers({
    backendUrl: backend.url,
    change: (config) => {
      const auth = { profile: 'dpop' as const, issuers: ['as'] };
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
      config.routes = [
        { kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth, allowedOrigins: [relay.origin], backend },
        {
          kind: 'mcp',
          name: 'ruled',
          pathPrefix: '/ruled',
          auth,
          allowedOrigins: [relay.origin],
          allow,
          backend,
        },
      ];
    },
  });
  relay.target = peers.origin;
  const keys = await generateKeyPair('ES256', { extractable: true });
  const { clientId, clientSecret } = peers.as.clients.agent;
  const http = { execute: [client.allowInsecureRequests], algorithm: 'oauth2' as const };
  const as = await client.discovery(
    new URL(peers.as.issuer),
    clientId,
    undefined,
    client.ClientSecretBasic(clientSecret),
    http,
  );
  const tokens = new Map<string, Promise<string>>();
  const issue = async (resource: string) =>
    (
      await client.clientCredentialsGrant(
        as,
        { resource, scope: 'mcp:read' },
        { DPoP: client.getDPoPHandle(as, keys) },
      )
    ).access_token;
  relay.signer = {
    keys,
    token: (resource) => tokens.get(resource) ?? tokens.set(resource, issue(resource)).get(resource)!,
  };
  await suite('direct', `${backend.url}/mcp`);
}, 90_000);
afterAll(async () => {
  process.stdout.write(table());
  await relay.stop();
  await peers.stop();
  await mcp.stop();
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
    },
    70_000,
  );

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
