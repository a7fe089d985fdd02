/**
 * The demo's stack and cases as tests: real MCP server and client, shipped bundle, config out of the
 * synthesized manifests.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '..', '..');
const demo = join(root, 'test', 'demo');

interface Info {
  gateway: string;
  publicOrigin: string;
  metrics: string;
  config: string;
  auditLog: string;
  upstreamLog: string;
  routes: Record<string, unknown>[];
}
interface Config {
  routes: { backend: Record<string, unknown> }[];
  replay: object;
  limits?: object;
  issuers: Record<string, unknown>[];
}
type Headers = Record<string, string>;
interface Client {
  thumbprint: string;
}
interface Mint {
  createClient(): Promise<Client>;
  accessToken(route: object, thumbprint: string): Promise<string>;
  dpopHeaders(client: Client, htm: string, htu: string, token: string): Promise<Headers>;
  selfSignedHeaders(route: object, htm: string, htu: string): Promise<Headers>;
}
interface Case {
  what: string;
  want: string;
  run(): Promise<{ got: string; detail: string }>;
}

describe('the demo', () => {
  let info: Info;
  let cases: Case[];
  let child: ReturnType<typeof spawn>;
  let out = '';

  beforeAll(async () => {
    child = spawn(process.execPath, [join(demo, 'run.mjs'), '--hold', '--json', '--bundled'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      cwd: root,
    });
    child.stdout!.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    for (let i = 0; i < 600 && !out.includes('\n'); i++)
      await new Promise((resolve) => setTimeout(resolve, 100));
    info = JSON.parse(out) as Info;
    const module: string = join(demo, 'cases.mjs');
    const { createCases } = (await import(module)) as { createCases(i: Info): Promise<Case[]> };
    cases = await createCases(info);
  }, 90_000);
  afterAll(() => {
    child.kill('SIGTERM');
  }); // the one signal that takes the whole stack with it

  it('--hold --json prints one line, with an MCP and a secrets route under each profile', () => {
    expect(out.trimEnd().split('\n')).toHaveLength(1);
    expect(
      info.routes.map((r) => `${String(r.profile)} ${r.secret === undefined ? 'mcp' : 'secrets'}`).sort(),
    ).toEqual(['dpop mcp', 'dpop secrets', 'selfSigned mcp', 'selfSigned secrets']);
    for (const route of info.routes) {
      expect(route).toMatchObject({
        name: expect.any(String) as string,
        path: expect.stringMatching(/^\//) as string,
        methods: expect.any(Array) as string[],
        issuer: expect.any(String) as string,
        audience: expect.any(String) as string,
        kid: expect.any(String) as string,
        alg: 'RS256',
      });
      expect(readFileSync(route.key as string, 'utf8')).toContain('PRIVATE KEY');
    }
  });
  it('every case gets what it should', async () => {
    expect(cases.length).toBeGreaterThan(20);
    for (const { what, want, run } of cases)
      expect({ what, got: (await run()).got }).toEqual({ what, got: want });
  }, 60_000);
  it.each(['dpop', 'selfSigned'])(
    "%s: a tool's progress arrives while the tool still runs",
    async (profile) => {
      const route = info.routes.find((r) => r.profile === profile && r.secret === undefined)!;
      const module: string = join(demo, 'mint.mjs');
      const mint = (await import(module)) as Mint;
      const url = info.publicOrigin + String(route.path);
      const client = await mint.createClient();
      const post = async (message: object, session = {}) =>
        fetch(url, {
          method: 'POST',
          body: JSON.stringify({ jsonrpc: '2.0', ...message }),
          headers: {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...session,
            ...(profile === 'dpop'
              ? await mint.dpopHeaders(client, 'POST', url, await mint.accessToken(route, client.thumbprint))
              : await mint.selfSignedHeaders(route, 'POST', url)),
          },
        });
      const hello = await post({
        id: 1,
        method: 'initialize',
        params: {
          protocolVersion: '2025-06-18',
          capabilities: {},
          clientInfo: { name: 'raw', version: '1' },
        },
      });
      await hello.text();
      const session = {
        'mcp-session-id': hello.headers.get('mcp-session-id')!,
        'mcp-protocol-version': '2025-06-18',
      };
      await post({ method: 'notifications/initialized' }, session);
      const answer = await post(
        {
          id: 2,
          method: 'tools/call',
          params: { name: 'count', arguments: { to: 5 }, _meta: { progressToken: 'p' } },
        },
        session,
      );
      const seen: { at: number; text: string }[] = [];
      for await (const chunk of answer.body!)
        seen.push({ at: performance.now(), text: Buffer.from(chunk).toString() });
      const first = seen.find(({ text }) => text.includes('"progress":1'))!;
      const last = seen.find(({ text }) => text.includes('counted to 5'))!;
      expect(last.at - first.at).toBeGreaterThan(200); // the server takes 100 ms a step, five of them
    },
  );
  it('enforces the config that was synthesized: only addresses and paths differ', () => {
    const documents = parseAllDocuments(readFileSync(join(root, 'manifests', 'demo.k8s.yaml'), 'utf8')).map(
      (d) => d.toJS() as { data?: Record<string, string> },
    );
    const synthesized = JSON.parse(
      documents.find(({ data }) => data?.['config.json'] !== undefined)!.data!['config.json']!,
    ) as Config;
    const running = JSON.parse(readFileSync(info.config, 'utf8')) as Config;
    const enforced = ({ routes, replay, limits, issuers }: Config) => ({
      replay,
      limits,
      issuers: issuers.map(({ name, issuer, algorithms }) => ({ name, issuer, algorithms })),
      routes: routes.map(({ backend: { url: _, caFile: __, tokenFile: ___, ...backend }, ...route }) => ({
        ...route,
        backend,
      })),
    });
    expect(enforced(running)).toEqual(enforced(synthesized));
  });
  it('ends altogether at SIGTERM', async () => {
    const { port } = new URL(info.gateway);
    expect((await fetch(`${info.gateway}/healthz`)).status).toBe(200);
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
    await expect(fetch(`${info.gateway}/healthz`)).rejects.toThrow();
    expect(existsSync(info.config)).toBe(false);
    const listening = readFileSync('/proc/net/tcp', 'utf8');
    expect(listening).not.toContain(
      `0100007F:${Number(port).toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`,
    );
  });
});
