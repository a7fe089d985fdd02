/**
 * Both generations of the official TypeScript SDK as clients, in every revision that they speak: what a server would
 * negotiate down to is asked for in initialize.
 */
import {
  Client as ClientV2,
  DpopSession,
  generateDpopKeyPair,
  StreamableHTTPClientTransport as TransportV2,
  withDpop,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js';
import * as oauth from 'openid-client';
import { startMcpServer, type McpPeer } from '../peers/mcp-server.js';
import { startPeers, type Peers } from '../peers/peers.js';
import { expectInterop } from '../support/interop.js';

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** Of those that have Streamable HTTP, and the one before, which servers negotiate over it. */
const SESSIONS = [...SUPPORTED_PROTOCOL_VERSIONS].filter((revision) => revision >= '2024-11-05').sort();
const INFO = { name: 'peer', version: '1' };

let mcp: McpPeer;
let peers: Peers;
let signed: Fetch;
let olderSigned: Fetch;

beforeAll(async () => {
  mcp = await startMcpServer();
  peers = await startPeers({
    backendUrl: `http://127.0.0.1:${mcp.port}`,
    change: (config) => {
      const [mcpRoute] = config.routes as [(typeof config.routes)[number]];
      const revisions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'];
      const allow = [
        ...['initialize', 'server/discover', 'notifications/*', 'tools/list'].map((method) => ({ method })),
        { method: 'tools/call', names: ['echo'] },
      ];
      config.routes = [
        { ...mcpRoute, revisions, allow } as typeof mcpRoute,
        {
          ...mcpRoute,
          name: 'older',
          pathPrefix: '/older',
          revisions: ['2025-06-18', '2025-11-25'],
          backend: { url: `http://127.0.0.1:${mcp.port}/mcp` },
        } as typeof mcpRoute,
      ];
    },
  });
  const keys = await generateDpopKeyPair();
  const { clientId, clientSecret } = peers.as.clients.agent;
  const http = { execute: [oauth.allowInsecureRequests], algorithm: 'oauth2' as const };
  const secret = oauth.ClientSecretBasic(clientSecret);
  const config = await oauth.discovery(new URL(peers.as.issuer), clientId, undefined, secret, http);
  const session = await DpopSession.create({ keyPair: keys });
  const signing = async (route: string): Promise<Fetch> => {
    const { access_token: token } = await oauth.clientCredentialsGrant(
      config,
      { resource: `${peers.origin}/${route}`, scope: 'mcp:read' },
      { DPoP: oauth.getDPoPHandle(config, keys) },
    );
    return withDpop(session, () => token)(fetch);
  };
  signed = await signing('mcp');
  olderSigned = await signing('older');
}, 30_000);
afterAll(async () => {
  await peers.stop();
  await mcp.stop();
});

/** Lets a client that always asks for its newest revision ask for this one. */
const asking =
  (revision: string): Fetch =>
  (url, init = {}) => {
    if (typeof init.body !== 'string' || !init.body.includes('"initialize"')) return signed(url, init);
    const message = JSON.parse(init.body) as { params: { protocolVersion: string } };
    message.params.protocolVersion = revision;
    return signed(url, { ...init, body: JSON.stringify(message) });
  };

interface Driven {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}
/** Lists, calls, and is refused; the revisions that its requests named at the server. */
async function drive(client: Driven): Promise<string[]> {
  mcp.seen.length = 0;
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo']);
  const said = await client.callTool({ name: 'echo', arguments: { text: 'bound' } });
  expect(said).toMatchObject({ content: [{ type: 'text', text: 'bound' }] });
  await expect(client.callTool({ name: 'test_simple_text', arguments: {} })).rejects.toThrow();
  await client.close();
  return [...new Set(mcp.seen.map(({ headers }) => String(headers['mcp-protocol-version'])))];
}
const url = () => new URL(`${peers.origin}/mcp`);

it('@modelcontextprotocol/sdk (v1): every revision', async () => {
  const spoken: string[] = [];
  for (const revision of SESSIONS) {
    const client = new ClientV1(INFO);
    await client.connect(new TransportV1(url(), { fetch: asking(revision) }));
    spoken.push(...(await drive(client)));
  }
  expect(spoken).toEqual(SESSIONS);
  expectInterop('typescript-v1', spoken);
}, 60_000);

it('@modelcontextprotocol/client (v2): every revision', async () => {
  const spoken: string[] = [];
  for (const revision of SESSIONS) {
    const client = new ClientV2(INFO);
    await client.connect(new TransportV2(url(), { fetch: asking(revision) }));
    spoken.push(...(await drive(client)));
  }
  const modern = new ClientV2(INFO, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await modern.connect(new TransportV2(url(), { fetch: signed }));
  spoken.push(...(await drive(modern)));
  expect(spoken).toEqual([...SESSIONS, '2026-07-28']);
  expectInterop('typescript-v2', spoken);
}, 60_000);

it('v2, asked to find the newest revision, falls back where the route serves the older ones alone', async () => {
  mcp.seen.length = 0;
  const client = new ClientV2(INFO, { versionNegotiation: { mode: 'auto' } });
  const older = new URL(`${peers.origin}/older`);
  await client.connect(new TransportV2(older, { fetch: olderSigned }));
  expect((await client.listTools()).tools.length).toBeGreaterThan(1);
  await client.close();
  // Its probe was refused with -32022 and what is supported, and it went on from there.
  expect(await peers.reasons('older')).toContain('mcp_version_refused');
  expect(new Set(mcp.seen.map(({ headers }) => headers['mcp-protocol-version']))).toEqual(
    new Set([undefined, '2025-11-25']),
  );
});
