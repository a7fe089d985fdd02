/** A gateway as a process with the heap of a pod, a backend, and an honest client beside whoever attacks it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGatewayProcess, type GatewayProcess } from '../../../test/e2e/support/gateway-process.js';
import type { ConfigInput } from '../../src/config/index.js';
import { ORIGIN } from './gateway.js';
import { ask, makeCertificate, session } from './http2.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint, type Pair } from './mint.js';

const MIB = 2 ** 20;
/** Whoever has no answer by then has none. */
const ANSWER_MS = 10_000;
const STOP_MS = 2_000;

export interface Besieged {
  readonly gateway: GatewayProcess;
  readonly as: Pair;
  /** Bodies that reached the backend. */
  readonly seen: Buffer[];
  /** Authorization and DPoP of a new proof. */
  credentials(client: Pair, path: string): { authorization: string; dpop: string };
  /**
   * Asks all the time, one request after the other, until it is stopped: by how many, with what statuses, how
   * long the longest took.
   */
  honest(path: string, body: string): { stop(): Promise<Honest> };
  audit(): Record<string, unknown>[];
  /** What the process had resident at most, in MiB. */
  peakMebibytes(): number;
  stop(): Promise<void>;
}

export interface Honest {
  readonly asked: number;
  readonly statuses: readonly number[];
  readonly slowestMs: number;
}

export interface Siege {
  /** HTTP/2 over TLS; else HTTP/1.1 in the clear. */
  readonly http2?: boolean;
  readonly workers?: number;
  readonly heapMebibytes?: number;
  readonly change?: (config: ConfigInput) => void;
}

export async function besiege({
  http2 = false,
  workers = 1,
  heapMebibytes = 128,
  change,
}: Siege): Promise<Besieged> {
  const dir = mkdtempSync(join(tmpdir(), 'agw-siege-'));
  const as = rsa();
  const keys = { keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] };
  writeFileSync(join(dir, 'as.json'), JSON.stringify(keys));
  const tls = http2 ? makeCertificate(dir, 'edge') : undefined;
  const seen: Buffer[] = [];
  const backend = http.createServer((message, response) => {
    const pieces: Buffer[] = [];
    message
      .on('data', (piece: Buffer) => pieces.push(piece))
      .on('end', () => {
        seen.push(Buffer.concat(pieces));
        response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
      });
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  const auth = { profile: 'dpop' as const, issuers: ['as'], audiences: [`${ORIGIN}/mcp`] };
  const route = (name: string) => ({
    kind: 'mcp' as const,
    name,
    pathPrefix: `/${name}`,
    auth,
    backend: { url },
  });
  const config: ConfigInput = {
    version: 1,
    ...(tls === undefined ? {} : { listen: { tls } }),
    workers,
    publicOrigins: [ORIGIN],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'as.json') } }],
    replay: { store: 'memory', epochMarginSeconds: 0 },
    limits: { refusalsPerAddress: { maxTokens: 1_000_000, tokensPerSecond: 1_000_000 } },
    audit: { file: join(dir, 'audit.jsonl') },
    routes: [
      route('plain'),
      { ...route('ruled'), allow: [{ method: 'tools/list' }] },
      { ...route('open'), allow: [{ method: 'tools/list' }], auth: { ...auth, mode: 'optional' } },
    ],
  };
  change?.(config);
  const flags = [`--max-old-space-size=${heapMebibytes}`, '--max-semi-space-size=8'];
  const gateway = await startGatewayProcess(config, { dir, name: 'gateway', flags });
  const client = ec();
  const credentials = (pair: Pair, path: string) => {
    const token = accessToken(as, { cnf: { jkt: thumbprint(pair) } });
    return { authorization: `DPoP ${token}`, dpop: proof(pair, 'POST', ORIGIN + path, token) };
  };
  const askOnce = (path: string, body: string): Promise<number> => {
    const headers = { ...credentials(client, path), 'content-type': 'application/json' };
    if (tls === undefined) return post(gateway.port, path, headers, body);
    const own = session(gateway.port, tls.certFile);
    const asked = ask(own, { method: 'POST', path, headers, body }).then(({ status }) => status ?? 0);
    return Promise.race([asked, sleep(ANSWER_MS, 0, { ref: false })]).finally(() => own.destroy());
  };
  return {
    gateway,
    as,
    seen,
    credentials,
    honest(path, body) {
      const statuses: number[] = [];
      let slowestMs = 0;
      let over = false;
      const asking = (async () => {
        while (!over) {
          const began = performance.now();
          statuses.push(await askOnce(path, body));
          slowestMs = Math.max(slowestMs, performance.now() - began);
          await sleep(20);
        }
      })();
      return {
        async stop() {
          over = true;
          await asking;
          return { asked: statuses.length, statuses: [...new Set(statuses)], slowestMs };
        },
      };
    },
    audit: () =>
      readFileSync(join(dir, 'audit.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    peakMebibytes() {
      const status = readFileSync(`/proc/${gateway.child.pid}/status`, 'utf8');
      return (Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) * 1024) / MIB;
    },
    async stop() {
      // One that is out of memory may not hear SIGTERM.
      const timer = setTimeout(() => gateway.child.kill('SIGKILL'), STOP_MS);
      await gateway.stop();
      clearTimeout(timer);
      backend.closeAllConnections();
      await new Promise((resolve) => backend.close(resolve));
      rmSync(dir, { recursive: true });
    },
  };
}

/** 0: no answer. */
function post(port: number, path: string, headers: http.OutgoingHttpHeaders, body: string): Promise<number> {
  return new Promise((resolve) => {
    http
      .request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent: false }, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode!));
      })
      .setTimeout(ANSWER_MS, () => resolve(0))
      .on('error', () => resolve(0))
      .end(body);
  });
}
