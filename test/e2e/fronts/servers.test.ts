/** What stands behind a gateway: a real MCP server of the Python SDK, on Starlette, under uvicorn. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, ORIGIN, request, type Answer } from '../../../proxy/test/support/gateway.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint } from '../../../proxy/test/support/mint.js';
import { needs, programOf } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { expectInterop, interopRows } from '../support/interop.js';
import { pythonPackage } from '../support/python-packages.js';

const READY_MS = 30_000;
const GUIDE = join(import.meta.dirname, '..', '..', '..', 'docs', 'guides', 'fronts.md');
const packages = pythonPackage('mcp==2.3.0');
needs('a server of the Python SDK', 'missing' in packages ? [packages.missing] : []);
('missing' in packages ? describe.skip : describe)('before a server of the Python SDK', () => {
  const folder = 'missing' in packages ? '' : packages.dir;
  const [as, client] = [rsa(), ec()];
  let dir: string;
  let server: ChildProcess;
  let said = '';
  let gateway: GatewayProcess;
  /** Redirects that were followed, for docs/reference/interop.md. */
  const held: string[] = [];

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'agw-servers-'));
    const port = await freePort();
    server = spawn(programOf('python3')!, [join(import.meta.dirname, 'server.py'), String(port)], {
      env: { ...process.env, PYTHONPATH: folder },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    server.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const began = performance.now();
    while ((await request(port, { method: 'GET' }).catch(() => undefined)) === undefined) {
      if (performance.now() - began > READY_MS) throw new Error(`uvicorn is not up; it said: ${said}`);
      await sleep(100);
    }
    const keys = [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }];
    writeFileSync(join(dir, 'jwks.json'), JSON.stringify({ keys }));
    const route = (name: string, backend: { url: string; host?: string }) => ({
      kind: 'mcp' as const,
      name,
      pathPrefix: `/${name}`,
      auth: { profile: 'dpop' as const, issuers: ['as'] },
      backend,
    });
    const url = `http://127.0.0.1:${port}`;
    gateway = await startGatewayProcess(
      {
        version: 1,
        publicOrigins: [ORIGIN],
        publicPathPrefix: '/ai',
        issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'jwks.json') } }],
        replay: { store: 'memory' },
        routes: [
          route('mounted', { url }),
          route('renamed', { url: `${url}/mounted` }),
          route('slash', { url: `${url}/mounted/` }),
          route('foreign', { url: `${url}/mcp`, host: 'mcp.tools.svc.cluster.local:5000' }),
          route('known', { url: `${url}/mcp`, host: 'localhost:5000' }),
        ],
        drainSeconds: 1,
      },
      { dir, name: 'gateway' },
    );
  }, 60_000);
  afterAll(async () => {
    server?.kill('SIGKILL');
    await gateway?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const ask = (path: string, resource: string, body = '{}'): Promise<Answer> => {
    const token = accessToken(as, { cnf: { jkt: thumbprint(client) }, aud: `${ORIGIN}/ai/${resource}` });
    return request(gateway.port, {
      method: 'POST',
      path,
      headers: {
        host: 'gw.example',
        authorization: `DPoP ${token}`,
        dpop: proof(client, 'POST', `${ORIGIN}/ai${path}`, token),
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body,
    });
  };

  it.each(['mounted', 'renamed'])(
    'the redirect of Starlette comes back under the public path: /%s',
    async (name) => {
      const { status, headers } = await ask(`/${name}`, name);
      expect([status, headers.location]).toEqual([307, `/ai/${name}/`]);
      expect((await ask(`/${name}/`, name, 'again')).text).toBe('POST /mounted/ again');
      held.push(`/${name} to ${headers.location}`);
    },
  );
  it('a path that ends in a slash needs no redirect', async () => {
    expect((await ask('/slash', 'slash', 'at once')).text).toBe('POST /mounted/ at once');
    held.push('/slash at once');
    expectInterop('server-starlette', held);
  });
  it('a server that answers to one name only is asked by it', async () => {
    const initialize = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    });
    const foreign = await ask('/foreign', 'foreign', initialize);
    expect(foreign.status).toBe(421);
    const { status, text } = await ask('/known', 'known', initialize);
    expect([status, text]).toEqual([200, expect.stringContaining('"serverInfo"')]);
    expectInterop('server-python-sdk', [
      `${foreign.status} to its cluster name`,
      `${status} with \`backend.host\``,
    ]);
  });
  it('is of the versions that the guide names', () => {
    const versions = readdirSync(folder).flatMap(
      (name) => /^(\w+)-([0-9.]+)\.dist-info$/.exec(name)?.slice(1).join(' ') ?? [],
    );
    const guide = readFileSync(GUIDE, 'utf8');
    expect(existsSync(folder)).toBe(true);
    const versionOf = (name: string) => versions.find((v) => v.startsWith(`${name} `))!.split(' ')[1]!;
    expect(guide).toContain(
      `| Starlette under uvicorn | ${majorMinor(versionOf('starlette'))}, ${majorMinor(versionOf('uvicorn'))} |`,
    );
    expect(guide).toContain(`| MCP SDK for Python | ${versionOf('mcp')} |`);
    expect(interopRows()['server-python-sdk']!.version).toBe(versionOf('mcp'));
    expect(interopRows()['server-starlette']!.version).toBe(
      `${majorMinor(versionOf('starlette'))}, ${majorMinor(versionOf('uvicorn'))}`,
    );
  });
  const majorMinor = (version: string) => version.split('.').slice(0, 2).join('.');
});
