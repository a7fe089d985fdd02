/** The whole proxy in this process, on real sockets, in front of a backend that records what reaches it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway, type Gateway } from '../../src/app.js';
import { wallClock } from '../../src/clock.js';
import { parseConfig, type ConfigInput } from '../../src/config/index.js';
import { freePort } from './free-port.js';
import { ask as askOverHttp2, makeCertificate, session as openSession } from './http2.js';
import { jwkOf, rsa, type Pair } from './mint.js';

export const ORIGIN = 'https://gw.example';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: string[];
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}
export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | string[]> | string[];
  readonly body?: string;
}

/**
 * How long an answer, and lines, may take to be there on a busy machine; and how long nothing must come for
 * there to be none.
 */
const [ANSWER_MS, AUDIT_MS, NOTHING_MS] = [5_000, 1_000, 250];

export interface GatewayFixture {
  readonly as: Pair;
  readonly self: Pair;
  readonly gateway: Gateway;
  readonly seen: Seen[];
  readonly backendPort: number;
  readonly dir: string;
  readonly warnings: string[];
  /** What was warned of and works again. */
  readonly recoveries: string[];
  /** What the backend answers from now on. */
  answer: (message: IncomingMessage, response: ServerResponse, body: string) => void;
  ask(ask: Ask): Promise<Answer>;
  admin(path: string): Promise<Answer>;
  /**
   * Writes bytes, returns all that comes back until the other side closes, or `ms` are over since it began to
   * answer.
   */
  raw(text: string, ms?: number): Promise<string>;
  audit(): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

type Routes = ConfigInput['routes'];

/**
 * Other routes of a fixture.
 * @param routesOf makes them of its first one; on each, tokens for the audience `all` are good
 */
export function changeRoutes(
  config: ConfigInput,
  routesOf: (mcp: Routes[number]) => readonly object[],
): void {
  const [mcp] = config.routes as [Routes[number]];
  const auth = { profile: 'dpop', issuers: ['as'], audiences: ['all'] };
  config.routes = routesOf({ ...mcp, auth } as Routes[number]) as Routes;
}

export { freePort };

export function request(
  port: number,
  { method = 'GET', path = '/', headers = {}, body }: Ask,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const out = http.request(
      { host: '127.0.0.1', port, method, path, headers: headers as http.OutgoingHttpHeaders, agent: false },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }));
        answer.on('error', reject);
      },
    );
    out.on('error', reject);
    out.end(body);
  });
}

export interface GatewayFixtureOptions {
  /** Changes the config before it is parsed. */
  readonly change?: (config: ConfigInput, fixture: { backendPort: number; dir: string }) => void;
  readonly clock?: () => number;
  /** Since when it knows of every proof; default: two minutes ago, as if it had been running. */
  readonly remembersSince?: number;
  /** Over TLS; `ask` asks over HTTP/2 then, on one connection. */
  readonly http2?: boolean;
}

export async function startFixture({
  change,
  clock = wallClock,
  remembersSince = clock() - 120,
  http2 = false,
}: GatewayFixtureOptions = {}): Promise<GatewayFixture> {
  const dir = mkdtempSync(join(tmpdir(), 'agw-test-'));
  const as = rsa();
  const self = rsa();
  writeFileSync(
    join(dir, 'as.json'),
    JSON.stringify({ keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
  );
  writeFileSync(
    join(dir, 'self.json'),
    JSON.stringify({ keys: [{ ...jwkOf(self), kid: 'my-key-1', alg: 'RS256', use: 'sig' }] }),
  );
  const seen: Seen[] = [];
  const warnings: string[] = [];
  const recoveries: string[] = [];
  const backend = http.createServer((message, response) => {
    let body = '';
    message.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    message.on('end', () => {
      seen.push({
        method: message.method!,
        url: message.url!,
        rawHeaders: message.rawHeaders,
        headers: message.headers,
        body,
      });
      fixture.answer(message, response, body);
    });
  });
  const backendPort = await new Promise<number>((resolve) =>
    backend.listen(0, '127.0.0.1', () => resolve((backend.address() as net.AddressInfo).port)),
  );
  const input: ConfigInput = {
    version: 1,
    listen: { host: '127.0.0.1', port: await freePort() },
    admin: { host: '127.0.0.1', port: await freePort() },
    publicOrigins: [ORIGIN],
    issuers: [
      { name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'as.json') } },
      { name: 'self', issuer: 'my-app-aiops', jwks: { file: join(dir, 'self.json') } },
    ],
    replay: { store: 'memory' },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
        backend: { url: `http://127.0.0.1:${backendPort}` },
      },
      {
        kind: 'mcp',
        name: 'self',
        pathPrefix: '/self',
        auth: { profile: 'selfSigned', issuers: ['self'], audiences: ['mcp-gateway'] },
        backend: { url: `http://127.0.0.1:${backendPort}` },
      },
    ],
    audit: { file: join(dir, 'audit.jsonl') },
    drainSeconds: 1,
  };
  const certificate = http2 ? makeCertificate(dir, 'fixture') : undefined;
  if (certificate !== undefined) input.listen = { ...input.listen, tls: certificate };
  change?.(input, { backendPort, dir });
  const parsed = parseConfig(input);
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  const gateway = await startGateway(parsed.config, {
    clock,
    remembersSince,
    warn: (problem) => warnings.push(problem),
    recovered: (what) => recoveries.push(what),
  });

  /** Ids of requests that were answered: their audit lines are still to come, or are there. */
  const answered = new Set<string>();
  const session = certificate && openSession(gateway.port, certificate.certFile);
  const send = async (ask: Ask): Promise<Answer> => {
    if (session === undefined) return request(gateway.port, ask);
    const { status, headers, text } = await askOverHttp2(session, { ...ask, headers: byName(ask.headers) });
    return { status: status!, headers, text };
  };
  const fixture: GatewayFixture = {
    as,
    self,
    gateway,
    seen,
    backendPort,
    dir,
    warnings,
    recoveries,
    answer: (_, response) =>
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"ok":true}'),
    ask: async (ask) => {
      const answer = await send(ask);
      const id = answer.headers['x-request-id'];
      if (typeof id === 'string') answered.add(id);
      return answer;
    },
    admin: (path) => request(gateway.adminPort, { path }),
    raw: (text, ms = 1000) =>
      new Promise((resolve) => {
        let got = '';
        const socket = net.connect(gateway.port, '127.0.0.1', () => socket.write(text, 'latin1'));
        const quiet = setTimeout(() => socket.destroy(), Math.max(ms, ANSWER_MS));
        socket.on('data', (chunk) => {
          if (got === '') setTimeout(() => socket.destroy(), ms).unref();
          got += chunk.toString('latin1');
        });
        socket.on('error', () => resolve(got));
        socket.on('close', () => {
          for (const [, id] of got.matchAll(/^x-request-id: (\S+)/gim)) answered.add(id!);
          clearTimeout(quiet);
          resolve(got);
        });
      }),
    async audit() {
      const file = join(dir, 'audit.jsonl');
      // Lines are gathered for 10 ms, and written by a thread that has to be given a turn. Where nothing was answered,
      // no id says which line is still to come.
      await new Promise((resolve) => setTimeout(resolve, answered.size > 0 ? 15 : 40));
      for (let [before, waited] = [-1, 0]; waited < AUDIT_MS; waited += 20) {
        const text = readFileSync(file, 'utf8');
        const isWhole = [...answered].every((id) => text.includes(id));
        if (isWhole && text.length === before && (before > 0 || waited >= NOTHING_MS)) break;
        before = text.length;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      answered.clear();
      return readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    async stop() {
      session?.destroy();
      await gateway.stop();
      backend.closeAllConnections();
      await new Promise((resolve) => backend.close(resolve));
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return fixture;
}

/** Header fields as HTTP/2's client takes them: what stands more than once as a list. */
function byName(headers: Ask['headers'] = {}): Record<string, string | string[]> {
  if (!Array.isArray(headers)) return headers;
  const fields: Record<string, string | string[]> = {};
  for (let i = 0; i < headers.length; i += 2) {
    const name = /^host$/i.test(headers[i]!) ? ':authority' : headers[i]!;
    const before = fields[name];
    fields[name] = before === undefined ? headers[i + 1]! : [before, headers[i + 1]!].flat();
  }
  return fields;
}
