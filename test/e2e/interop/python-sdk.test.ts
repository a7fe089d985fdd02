/**
 * The official Python SDK on both sides: its client, with an httpx auth that makes proofs, against a TypeScript server,
 * and its server under uvicorn, asked by the TypeScript clients; each in every revision that both speak.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { KeyObject } from 'node:crypto';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  Client as ClientV2,
  DpopSession,
  generateDpopKeyPair,
  StreamableHTTPClientTransport as TransportV2,
  withDpop,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { generateKeyPair, type KeyPair } from 'dpop';
import * as oauth from 'openid-client';
import { freePort } from '../../../proxy/test/support/gateway.js';
import { until } from '../../../proxy/test/support/until.js';
import { startMcpServer, type McpPeer } from '../peers/mcp-server.js';
import { startPeers, type Peers } from '../peers/peers.js';
import { expectInterop } from '../support/interop.js';
import { installPython } from '../support/installed.js';

const here = join(import.meta.dirname, 'python');
const installed = installPython(join(here, 'requirements.txt'));
if ('missing' in installed) it.skip(`the Python SDK ${installed.missing}`, () => {});
const python = 'dir' in installed ? join(installed.dir, 'bin', 'python') : '';
const withPython = 'dir' in installed ? describe : describe.skip;

let mcp: McpPeer;
let peers: Peers;
let server: ChildProcess;

/** What both speak that is negotiated by initialize; 2024-11-05 is let through where a route says so. */
const HANDSHAKES = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'];

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;
/** Lets a client that always asks for its newest revision ask for this one. */
const asking =
  (signed: Fetch, revision: string | undefined): Fetch =>
  (url, init = {}) => {
    const { body } = init;
    if (revision === undefined || typeof body !== 'string' || !body.includes('"initialize"'))
      return signed(url, init);
    const message = JSON.parse(body) as { params: { protocolVersion: string } };
    message.params.protocolVersion = revision;
    return signed(url, { ...init, body: JSON.stringify(message) });
  };

const accepts = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });

withPython('the Python SDK', () => {
  beforeAll(async () => {
    const port = await freePort();
    server = spawn(python, [join(here, 'server.py'), String(port)], { stdio: 'ignore' });
    mcp = await startMcpServer();
    peers = await startPeers({
      backendUrl: `http://127.0.0.1:${mcp.port}`,
      change: (config) => {
        const [first] = config.routes as [(typeof config.routes)[number]];
        const allow = [
          ...['initialize', 'server/discover', 'notifications/*', 'tools/list'].map((method) => ({ method })),
          { method: 'tools/call', names: ['echo'] },
        ];
        const backend = { url: `http://127.0.0.1:${port}/mcp` };
        const revisions = [...HANDSHAKES, '2026-07-28'];
        config.routes.push(
          {
            ...first,
            name: 'ruled',
            pathPrefix: '/ruled',
            allow,
            revisions,
            backend: { url: `${first.backend.url}/mcp` },
          } as typeof first,
          { ...first, name: 'python', pathPrefix: '/python', allow, revisions, backend } as typeof first,
        );
      },
    });
    await until(() => accepts(port), 30_000);
  }, 60_000);
  afterAll(async () => {
    server.kill();
    await peers.stop();
    await mcp.stop();
  });

  async function tokenFor(route: string, keys: KeyPair): Promise<string> {
    const { clientId, clientSecret } = peers.as.clients.agent;
    const http = { execute: [oauth.allowInsecureRequests], algorithm: 'oauth2' as const };
    const issuer = new URL(peers.as.issuer);
    const secret = oauth.ClientSecretBasic(clientSecret);
    const config = await oauth.discovery(issuer, clientId, undefined, secret, http);
    const resource = `${peers.origin}/${route}`;
    const handle = oauth.getDPoPHandle(config, keys);
    return (await oauth.clientCredentialsGrant(config, { resource, scope: 'mcp:read' }, { DPoP: handle }))
      .access_token;
  }
  const newKeys = () => generateKeyPair('ES256', { extractable: true });

  interface Driven {
    readonly revision: string;
    readonly tools: string[];
    readonly said: string;
    readonly refused: string;
  }
  async function drive(route: string, modes: readonly string[]): Promise<Driven[]> {
    const keys = await newKeys();
    const key = KeyObject.from(keys.privateKey);
    const { stdout } = await promisify(execFile)(python, [join(here, 'client.py')], {
      env: {
        URL: `${peers.origin}/${route}`,
        KEY: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
        TOKEN: await tokenFor(route, keys),
        MODES: modes.join(' '),
      },
      timeout: 60_000,
    });
    return JSON.parse(stdout) as Driven[];
  }

  it('as a client: every revision, with nonces, and behind rules', async () => {
    const ruled = await drive('ruled', ['legacy', 'auto', ...HANDSHAKES, '2026-07-28']);
    expect(ruled.map(({ revision }) => revision)).toEqual([
      '2025-11-25',
      '2026-07-28',
      ...HANDSHAKES,
      '2026-07-28',
    ]);
    for (const { tools, said, refused } of ruled) {
      expect([tools, said]).toEqual([['echo'], 'bound, ünïcode']);
      expect(refused).toMatch(/not allowed|403/);
    }
    const fresh = await drive('fresh', ['legacy']);
    expect(fresh[0]!.tools).toContain('echo');
    const seen = mcp.seen.flatMap(({ headers }) =>
      ['authorization', 'dpop'].filter((name) => name in headers),
    );
    expect(seen).toEqual([]);
    expectInterop(
      'python-client',
      ruled.map(({ revision }) => revision),
    );
  }, 90_000);

  const v2 = async (pin?: string) => {
    const keys = await generateDpopKeyPair();
    const token = await tokenFor('python', keys);
    const session = await DpopSession.create({ keyPair: keys });
    const client = new ClientV2(
      { name: 'v2', version: '1' },
      pin === undefined ? {} : { versionNegotiation: { mode: { pin } } },
    );
    const url = new URL(`${peers.origin}/python`);
    await client.connect(new TransportV2(url, { fetch: withDpop(session, () => token)(fetch) }));
    return client;
  };
  /** @param revision to ask for instead of its newest, as a server would negotiate down to it */
  const v1 = async (revision?: string) => {
    const keys = await generateDpopKeyPair();
    const token = await tokenFor('python', keys);
    const session = await DpopSession.create({ keyPair: keys });
    const client = new ClientV1({ name: 'v1', version: '1' });
    const url = new URL(`${peers.origin}/python`);
    const signed = withDpop(session, () => token)(fetch);
    await client.connect(new TransportV1(url, { fetch: asking(signed, revision) }));
    expect(client.transport).toMatchObject({ protocolVersion: revision ?? HANDSHAKES.at(-1) });
    return client;
  };
  it('as a server under uvicorn: the TypeScript clients of both generations', async () => {
    const versions: string[] = [];
    const inEach = HANDSHAKES.map((revision) => () => v1(revision));
    for (const connect of [...inEach, () => v2(), () => v2('2026-07-28')]) {
      const client = await connect();
      const { tools } = (await client.listTools()) as { tools: { name: string }[] };
      expect(tools.map(({ name }) => name)).toEqual(['echo']);
      const said = await client.callTool({ name: 'echo', arguments: { text: 'x' } });
      expect(said.content).toEqual([expect.objectContaining({ type: 'text', text: 'x' })]);
      await expect(client.callTool({ name: 'hidden', arguments: {} })).rejects.toThrow();
      const lines = (await peers.fixture.audit()).filter((line) => line['route.name'] === 'python');
      versions.push(String(lines.at(-1)!.reason));
      await client.close();
    }
    expect(versions).toEqual(Array(HANDSHAKES.length + 2).fill('mcp_not_allowed'));
    expectInterop('python-server', [...HANDSHAKES.map((each) => `v1 at ${each}`), 'v2', 'v2 at 2026-07-28']);
  }, 60_000);
});
