/**
 * Official MCP clients, v2 with its own DPoP and v1 with proofs by panva's dpop, through the gateway to a real
 * MCP server; tokens of a real authorization server.
 */
import {
  Client as ClientV2,
  ClientCredentialsProvider,
  DpopSession,
  generateDpopKeyPair,
  StreamableHTTPClientTransport as TransportV2,
  withDpop,
  type ClientOptions,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { generateKeyPair, generateProof, type KeyPair } from 'dpop';
import * as oauth from 'openid-client';
import { startPeers, type Peers } from './peers.js';
import { startMcpServer, type McpPeer } from './mcp-server.js';
import { until } from '../../../proxy/test/support/until.js';

const INFO = { name: 'peer-client', version: '1.0.0' };
const MODERN: ClientOptions = { versionNegotiation: { mode: { pin: '2026-07-28' } } };
type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

let mcp: McpPeer;
let peers: Peers;
/** Audit lines of earlier tests. */
let recorded = 0;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  mcp = await startMcpServer();
  peers = await startPeers({ backendUrl: `http://127.0.0.1:${mcp.port}`, requireNonce: true });
}, 20_000);
afterEach(async () => {
  await settled();
});
afterAll(async () => {
  await peers.stop();
  await mcp.stop();
});

const url = (route: string) => new URL(`${peers.origin}/${route}`);
async function tokenFor(route: string, keys: KeyPair): Promise<string> {
  const { clientId, clientSecret } = peers.as.clients.agent;
  const http = { execute: [oauth.allowInsecureRequests], algorithm: 'oauth2' as const };
  const config = await oauth.discovery(
    new URL(peers.as.issuer),
    clientId,
    undefined,
    oauth.ClientSecretBasic(clientSecret),
    http,
  );
  return (
    await oauth.clientCredentialsGrant(
      config,
      { resource: url(route).href, scope: 'mcp:read' },
      { DPoP: oauth.getDPoPHandle(config, keys) },
    )
  ).access_token;
}
/**
 * Closes the clients and waits until the gateway has recorded every request that reached the server: a stream
 * is recorded when it ends. What it refused meanwhile.
 */
async function settled(): Promise<unknown[]> {
  for (const client of open.splice(0)) await client.close();
  for (let i = 0; ; i++) {
    const lines = (await peers.fixture.audit())
      .filter((line) => line['route.name'] !== undefined)
      .slice(recorded);
    const reasons = lines.map(({ reason }) => reason);
    if (reasons.filter((reason) => reason === 'ok').length === mcp.seen.length) {
      expect(
        mcp.seen.flatMap(({ headers }) => ['authorization', 'dpop'].filter((name) => name in headers)),
      ).toEqual([]);
      recorded += lines.length;
      mcp.seen.length = 0;
      return reasons.filter((reason) => reason !== 'ok');
    }
    if (i === 50)
      throw new Error(
        `the server saw ${mcp.seen.length} requests, the gateway decided: ${reasons.join(' ')}`,
      );
  }
}

async function v2(route: string, options: ClientOptions = {}) {
  const keys = await generateDpopKeyPair();
  const session = await DpopSession.create({ keyPair: keys });
  const token = await tokenFor(route, keys);
  const client = new ClientV2(INFO, options);
  const transport = new TransportV2(url(route), { fetch: withDpop(session, () => token)(fetch) });
  await client.connect(transport);
  open.push(client);
  return { client, transport };
}

async function v1(route: string) {
  const keys = await generateKeyPair('ES256', { extractable: true });
  const token = await tokenFor(route, keys);
  const sent: { method: string; lastEventId: string | null }[] = [];
  const signed: Fetch = async (target, init = {}) => {
    const headers = new Headers(init.headers);
    const method = init.method ?? 'GET';
    sent.push({ method, lastEventId: headers.get('last-event-id') });
    headers.set('authorization', `DPoP ${token}`);
    headers.set('dpop', await generateProof(keys, String(target), method, undefined, token));
    return fetch(target, { ...init, headers });
  };
  const client = new ClientV1(INFO, { capabilities: { sampling: {} } });
  const transport = new TransportV1(url(route), { fetch: signed });
  await client.connect(transport);
  open.push(client);
  return { client, transport, sent };
}

describe('@modelcontextprotocol/client with withDpop', () => {
  it.each<[string, string, ClientOptions]>([
    ['2025-11-25', 'mcp', {}],
    ['2025-11-25', 'fresh', {}],
    ['2026-07-28', 'mcp', MODERN],
    ['2026-07-28', 'fresh', MODERN],
  ])(
    '%s at /%s: initialize, tools/list, tools/call with progress, a resource, a prompt',
    async (revision, route, options) => {
      const { client } = await v2(route, options);
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['echo', 'test_tool_with_progress']),
      );
      expect(
        (await client.callTool({ name: 'echo', arguments: { text: 'bound, ünïcode' } })).content,
      ).toEqual([{ type: 'text', text: 'bound, ünïcode' }]);
      const heard: { progress: number; at: number }[] = [];
      await client.callTool(
        { name: 'test_tool_with_progress', arguments: {} },
        { onprogress: ({ progress }) => heard.push({ progress, at: performance.now() }) },
      );
      expect(heard.map(({ progress }) => progress)).toEqual([0, 50, 100]);
      expect(heard[2]!.at - heard[0]!.at).toBeGreaterThan(60); // as it happens, not at the end
      expect((await client.readResource({ uri: 'test://template/7/data' })).contents).toHaveLength(1);
      expect((await client.getPrompt({ name: 'test_simple_prompt' })).messages).toHaveLength(1);
      expect(
        new Set(
          mcp.seen.map(({ headers }) => headers['mcp-protocol-version']).filter((v) => v !== undefined),
        ),
      ).toEqual(new Set([revision]));
      // One challenge teaches the client its nonce.
      expect(await settled()).toEqual(route === 'fresh' ? ['dpop_nonce_missing'] : []);
    },
  );
  it("a session: the GET stream brings the server's notifications, DELETE ends it", async () => {
    const { client, transport } = await v2('mcp');
    let changed = 0;
    client.setNotificationHandler('notifications/tools/list_changed', () => {
      changed++;
    });
    await until(() => mcp.seen.some(({ method }) => method === 'GET'));
    await client.callTool({ name: 'notify_all', arguments: {} });
    await until(() => changed === 1);
    const sessionId = transport.sessionId!.slice(23); // as the server knows it: behind the tag of its caller
    expect(mcp.sessions.has(sessionId)).toBe(true);
    await transport.terminateSession();
    expect(mcp.seen.at(-1)).toMatchObject({ method: 'DELETE', headers: { 'mcp-session-id': sessionId } });
    expect(mcp.sessions.has(sessionId)).toBe(false);
  });
  it('2026-07-28: a call that the client gives up is given up upstream', async () => {
    const { client } = await v2('mcp', MODERN);
    const controller = new AbortController();
    const call = client.callTool({ name: 'wait', arguments: {} }, { signal: controller.signal });
    const ending = call.then(
      () => 'answered',
      () => 'aborted',
    );
    await until(() => mcp.seen.some(({ headers }) => headers['mcp-name'] === 'wait'));
    controller.abort();
    expect(await ending).toBe('aborted');
    await until(() => mcp.seen.some(({ headers, aborted }) => headers['mcp-name'] === 'wait' && aborted));
  });
  it('without proofs nothing gets to the server', async () => {
    const keys = await generateKeyPair('ES256', { extractable: true });
    const token = await tokenFor('mcp', keys);
    const client = new ClientV2(INFO);
    await expect(
      client.connect(
        new TransportV2(url('mcp'), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
      ),
    ).rejects.toThrow();
    const stranger = withDpop(await DpopSession.create(), () => token)(fetch);
    await expect(
      new ClientV2(INFO).connect(new TransportV2(url('mcp'), { fetch: stranger })),
    ).rejects.toThrow();
    expect(mcp.seen).toEqual([]);
    expect(await settled()).toEqual(['scheme_refused', 'token_key_mismatch']);
  });
});

describe('@modelcontextprotocol/client with nothing but the URL and its client credentials', () => {
  it.each(['mcp', 'fresh', 'opaque'])(
    'finds the authorization server by the challenge, gets a bound token and is let in at /%s',
    async (route) => {
      class Provider extends ClientCredentialsProvider {
        private readonly session = DpopSession.create();
        dpop() {
          return this.session;
        }
      }
      const provider = new Provider({
        ...peers.as.clients.agent,
        expectedIssuer: peers.as.issuer,
        scope: 'mcp:read',
      });
      const client = new ClientV2(INFO);
      await client.connect(new TransportV2(url(route), { authProvider: provider }));
      open.push(client);
      expect((await client.callTool({ name: 'echo', arguments: { text: 'found' } })).content).toEqual([
        { type: 'text', text: 'found' },
      ]);
      expect(provider.tokens()!.token_type.toLowerCase()).toBe('dpop');
      expect(await settled()).toEqual(['credentials_missing']); // at /fresh too: the challenge carried a nonce
    },
  );
});

describe('@modelcontextprotocol/sdk, the v1 client, with a fetch that signs', () => {
  it("initialize, tools/list, tools/call, progress, and the server's own request to the client", async () => {
    const { client } = await v1('mcp');
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      role: 'assistant',
      content: { type: 'text', text: 'forty-two' },
      model: 'm',
    }));
    expect(client.getServerVersion()).toMatchObject({ name: 'peer' });
    expect((await client.listTools()).tools.length).toBeGreaterThan(10);
    expect((await client.callTool({ name: 'echo', arguments: { text: 'v1' } })).content).toEqual([
      { type: 'text', text: 'v1' },
    ]);
    const heard: number[] = [];
    await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, undefined, {
      onprogress: ({ progress }) => heard.push(progress),
    });
    expect(heard).toEqual([0, 50, 100]);
    expect(
      JSON.stringify((await client.callTool({ name: 'test_sampling', arguments: { prompt: '?' } })).content),
    ).toContain('forty-two');
    expect(await settled()).toEqual([]);
  });
  it("the GET stream brings notifications; DELETE ends the session; what comes after is the server's 404", async () => {
    const { client, transport, sent } = await v1('mcp');
    let changed = 0;
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      changed++;
    });
    await until(() => mcp.seen.some(({ method }) => method === 'GET'));
    await client.callTool({ name: 'notify_all', arguments: {} });
    await until(() => changed === 1);
    const id = transport.sessionId!;
    await transport.terminateSession();
    expect(sent.at(-1)!.method).toBe('DELETE');
    expect([mcp.sessions.has(id), transport.sessionId]).toEqual([false, undefined]);
    (transport as unknown as { _sessionId: string })._sessionId = id;
    await expect(client.listTools()).rejects.toThrow(/404|Session not found/);
  });
  it('a stream that ends before the result is resumed by a GET with Last-Event-ID and a proof of its own', async () => {
    const { client, sent } = await v1('mcp');
    expect((await client.callTool({ name: 'test_reconnection', arguments: {} })).content).toEqual([
      { type: 'text', text: 'reconnected' },
    ]);
    expect(sent.filter(({ method, lastEventId }) => method === 'GET' && lastEventId !== null)).toHaveLength(
      1,
    );
    expect(
      mcp.seen.filter(({ method, headers }) => method === 'GET' && headers['last-event-id'] !== undefined),
    ).toHaveLength(1);
    expect(await settled()).toEqual([]);
  });
  it('closing the client closes its streams upstream', async () => {
    const { client } = await v1('mcp');
    await until(() => mcp.seen.some(({ method }) => method === 'GET'));
    const stream = mcp.seen.find(({ method }) => method === 'GET')!;
    expect(stream.aborted).toBe(false);
    await client.close();
    await until(() => stream.aborted);
  });
});
