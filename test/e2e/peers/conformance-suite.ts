/** The official MCP conformance suite, run by its CLI as it is. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKeyPair } from 'dpop';
import * as client from 'openid-client';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { startMcpServer, type McpPeer } from './mcp-server.js';
import { startPeers, type Peers } from './peers.js';
import { startSigningRelay, type SigningRelay } from './signing-relay.js';

const MODULES = join(import.meta.dirname, '..', '..', '..', 'node_modules');

interface Check {
  readonly id: string;
  readonly name?: string;
  readonly status: string;
  readonly errorMessage?: string;
}
export type Results = Record<string, readonly Check[]>;
export interface Run {
  readonly results: Results;
  readonly seconds: number;
}

/** The checks of every scenario as the CLI wrote them to files; at most two minutes. @param name of its package */
export async function runSuite(
  name: string,
  out: string,
  url: string,
  options: readonly string[],
): Promise<Run> {
  const began = performance.now();
  const args = [join(MODULES, name, 'dist', 'index.js'), 'server', '--url', url, '-o', out, ...options];
  await new Promise<void>((resolve) =>
    execFile(process.execPath, args, { timeout: 120_000, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 }, () =>
      resolve(),
    ),
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
  return { results, seconds };
}

/** None of a scenario that did not end: it then has another outcome than the direct run. */
const checksOf = (file: string) =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Check[]) : [];
export const count = (checks: readonly Check[] = [], status: string): number =>
  checks.filter((check) => check.status === status).length;
const outcome = ({ id, name = '', status, errorMessage = '' }: Check) =>
  `${status} ${id} ${name} ${errorMessage}`;
export const outcomes = (results: Results): Record<string, string[]> =>
  Object.fromEntries(Object.entries(results).map(([name, checks]) => [name, checks.map(outcome)]));
export const passing = (results: Results): string[] =>
  Object.keys(results).filter(
    (name) => count(results[name], 'SUCCESS') > 0 && count(results[name], 'FAILURE') === 0,
  );

/** One line a scenario, one column a run: checks passed, failed, warned. */
export function table(runs: ReadonlyMap<string, Run>): string {
  const line = (name: string, cells: readonly string[]) =>
    name.padEnd(48) + cells.map((cell) => cell.padEnd(16)).join('');
  const cell = (checks?: readonly Check[]) =>
    ['SUCCESS', 'FAILURE', 'WARNING'].map((status) => count(checks, status)).join('  ');
  const columns = [...runs];
  return [
    line(
      'scenario (passed, failed, warned)',
      columns.map(([name, { seconds }]) => `${name} ${seconds.toFixed(1)} s`),
    ),
    ...Object.keys(columns[0]?.[1].results ?? {}).map((name) =>
      line(
        name,
        columns.map(([, { results }]) => cell(results[name])),
      ),
    ),
    '',
  ].join('\n');
}

/** A server of MCP, the gateway in front of it, and a relay that signs what it passes on to that. */
export interface SignedPeers {
  readonly mcp: McpPeer;
  readonly relay: SigningRelay;
  readonly peers: Peers;
  stop(): Promise<void>;
}

type Routes = ConfigInput['routes'];
/** What routes to the server have in common. */
type Common = Pick<Extract<Routes[number], { kind: 'mcp' }>, 'kind' | 'auth' | 'allowedOrigins' | 'backend'>;

export async function startSignedPeers(routesOf: (common: Common) => Routes): Promise<SignedPeers> {
  const mcp = await startMcpServer();
  const relay = await startSigningRelay();
  const backend = { url: `http://127.0.0.1:${mcp.port}` };
  const auth = { profile: 'dpop' as const, issuers: ['as'] };
  const peers = await startPeers({
    backendUrl: backend.url,
    change: (config) => {
      config.routes = routesOf({ kind: 'mcp', auth, allowedOrigins: [relay.origin], backend });
    },
  });
  await signAs(peers, relay);
  return {
    mcp,
    relay,
    peers,
    async stop() {
      await relay.stop();
      await peers.stop();
      await mcp.stop();
    },
  };
}

/** Lets the relay sign as a client of the authorization server, with a token for each resource. */
async function signAs({ as: server, origin }: Peers, relay: SigningRelay): Promise<void> {
  relay.target = origin;
  const keys = await generateKeyPair('ES256', { extractable: true });
  const { clientId, clientSecret } = server.clients.agent;
  const http = { execute: [client.allowInsecureRequests], algorithm: 'oauth2' as const };
  const as = await client.discovery(
    new URL(server.issuer),
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
}
