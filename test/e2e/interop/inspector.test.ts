/** The official MCP inspector's CLI, through a relay that signs for it, since it knows nothing of DPoP. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { signAs } from '../peers/conformance-suite.js';
import { startMcpServer, type McpPeer } from '../peers/mcp-server.js';
import { startPeers, type Peers } from '../peers/peers.js';
import { startSigningRelay, type SigningRelay } from '../peers/signing-relay.js';
import { installNpm } from '../support/installed.js';
import { expectInterop, interopRows } from '../support/interop.js';

const PACKAGE = '@modelcontextprotocol/inspector';
const { version } = interopRows().inspector!;
const installed = installNpm(PACKAGE, version);
if ('missing' in installed) it.skip(`the MCP inspector ${version} ${installed.missing}`, () => {});
const withInspector = 'dir' in installed ? describe : describe.skip;
const launcher =
  'dir' in installed
    ? join(installed.dir, 'node_modules', PACKAGE, 'clients', 'launcher', 'build', 'index.js')
    : '';

let mcp: McpPeer;
let relay: SigningRelay;
let peers: Peers;
let home: string;

withInspector("the MCP inspector's CLI", () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'agw-inspector-'));
    mcp = await startMcpServer();
    relay = await startSigningRelay();
    peers = await startPeers({
      backendUrl: `http://127.0.0.1:${mcp.port}`,
      change: (config) => {
        const [mcpRoute] = config.routes as [(typeof config.routes)[number]];
        const allow = [
          ...[
            'initialize',
            'server/discover',
            'logging/*',
            'notifications/*',
            'tools/list',
            'resources/*',
          ].map((method) => ({ method })),
          { method: 'tools/call', names: ['echo'] },
        ];
        config.routes = [{ ...mcpRoute, allow } as typeof mcpRoute];
      },
    });
    await signAs(peers, relay);
  }, 30_000);
  afterAll(async () => {
    await relay.stop();
    await peers.stop();
    await mcp.stop();
    rmSync(home, { recursive: true, force: true });
  });

  const inspect = async (...args: string[]) => {
    const url = `${relay.origin}/mcp`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [launcher, '--cli', url, '--transport', 'http', ...args],
      { env: { ...process.env, HOME: home, MCP_CATALOG_PATH: join(home, 'mcp.json') }, timeout: 60_000 },
    );
    return stdout;
  };

  it('lists what the rules let it use, calls it, and is refused the rest', async () => {
    const listed = await inspect('--method', 'tools/list');
    expect([listed.includes('"echo"'), listed.includes('test_simple_text')]).toEqual([true, false]);
    const called = await inspect('--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'text=bound');
    expect(called).toContain('bound');
    expect(await inspect('--method', 'resources/list')).toContain('test://static-text');
    await expect(inspect('--method', 'prompts/list')).rejects.toThrow();
    expect(await peers.reasons('mcp')).toContain('mcp_not_allowed');
    const versions = mcp.seen.map(({ headers }) => headers['mcp-protocol-version']);
    const revisions = new Set(versions.filter((revision) => revision !== undefined));
    expectInterop('inspector', [...revisions].map(String).sort());
  }, 120_000);
});
