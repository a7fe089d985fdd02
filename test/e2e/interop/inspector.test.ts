/** The official MCP inspector's CLI, through a relay that signs for it, since it knows nothing of DPoP. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startSignedPeers, type SignedPeers } from '../peers/conformance-suite.js';
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

let signed: SignedPeers;
let home: string;

withInspector("the MCP inspector's CLI", () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'agw-inspector-'));
    const allow = [
      ...['initialize', 'server/discover', 'logging/*', 'notifications/*', 'tools/list', 'resources/*'].map(
        (method) => ({ method }),
      ),
      { method: 'tools/call', names: ['echo'] },
    ];
    signed = await startSignedPeers((common) => [{ ...common, name: 'mcp', pathPrefix: '/mcp', allow }]);
  }, 30_000);
  afterAll(async () => {
    await signed.stop();
    rmSync(home, { recursive: true, force: true });
  });

  const inspectIn = async (...args: string[]) => {
    const url = `${signed.relay.origin}/mcp`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [launcher, '--cli', url, '--transport', 'http', ...args],
      { env: { ...process.env, HOME: home, MCP_CATALOG_PATH: join(home, 'mcp.json') }, timeout: 60_000 },
    );
    return stdout;
  };

  /** The revisions that its requests named at the server, once they have ended. */
  const drive = async (era: string) => {
    const inspect = (...args: string[]) => inspectIn('--protocol-era', era, ...args);
    signed.mcp.seen.length = 0;
    const listed = await inspect('--method', 'tools/list');
    expect([listed.includes('"echo"'), listed.includes('test_simple_text')]).toEqual([true, false]);
    const called = await inspect('--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'text=bound');
    expect(called).toContain('bound');
    expect(await inspect('--method', 'resources/list')).toContain('test://static-text');
    await expect(inspect('--method', 'prompts/list')).rejects.toThrow();
    expect(await signed.peers.reasons('mcp')).toContain('mcp_not_allowed');
    const versions = signed.mcp.seen.map(({ headers }) => headers['mcp-protocol-version']);
    return [...new Set(versions.filter((revision) => revision !== undefined))].map(String).sort();
  };

  it('lists what the rules let it use, calls it, and is refused the rest, in each era that it speaks', async () => {
    const spoken: string[] = [];
    for (const era of ['legacy', 'auto', 'modern'])
      spoken.push(...(await drive(era)).map((revision) => `${era} ${revision}`));
    expectInterop('inspector', spoken);
  }, 240_000);
});
