/**
 * What docs/runbook.md is tried on: the shipped gateway with TLS and a Redis, a backend, and an operator's folder whose
 * files reach the gateway only by `deploy`, as a project's do.
 */
import { execFile } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { freePort } from '../../../proxy/test/support/gateway.js';
import { makeCertificate } from '../../../proxy/test/support/http2.js';
import { RedisProcess } from '../../../proxy/test/replay/redis-process.js';
import { agw } from './agw.js';
import { startGatewayProcess, type GatewayProcess } from './gateway-process.js';
import { openScene, type Scene } from './scene.js';

const ISSUER = 'https://as.example';
export const CLIENTS = 'my-agents';
/** Files of the folder that `deploy` brings to the gateway. */
const DEPLOYED = ['jwks.json', 'clients.json', 'nonce-keys', 'tls.crt', 'tls.key'] as const;
/** How long a block may take. */
const BLOCK_MS = 20_000;

type RouteName = 'mcp' | 'nonced' | 'self';

/** Keys of an issuer and of two clients of the self-signed profile, and what else the pods mount. */
const PROJECT = `
agw keys generate --alg ES256 --out client.pem
agw keys generate --out my-key-1.pem --public my-key-1.pub
agw jwks create --key my-key-1.pub --kid my-key-1 --out jwks.json
for name in agent-7 agent-8; do agw keys generate --out $name.pem --public $name.pub; done
agw jwks create --key agent-7.pub --kid agent-7 --out clients.json
agw jwks add --jwks clients.json --key agent-8.pub --kid agent-8
openssl rand -base64 32 > nonce-keys`;

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ');

/** A wall clock that is ahead by as many seconds as a file says: that of a client. */
const clockOf = (file: string): string =>
  `data:text/javascript,${encodeURIComponent(
    `import { readFileSync } from "node:fs"; const now = Date.now; ` +
      `const ahead = 1000 * Number(readFileSync("${file}", "utf8")); Date.now = () => now() + ahead;`,
  ).replaceAll("'", '%27')}`;

export class RunbookStack {
  readonly #dir = mkdtempSync(join(tmpdir(), 'agw-runbook-'));
  readonly #ports: { readonly port: number; readonly adminPort: number };
  readonly #scene: Scene;
  readonly redis: RedisProcess;
  #gateway: GatewayProcess | undefined;

  private constructor(
    ports: { readonly port: number; readonly adminPort: number },
    redis: RedisProcess,
    scene: Scene,
  ) {
    this.#ports = ports;
    this.redis = redis;
    this.#scene = scene;
  }

  static async start(): Promise<RunbookStack> {
    const ports = { port: await freePort(), adminPort: await freePort() };
    const stack = new RunbookStack(ports, await RedisProcess.start(), await openScene());
    for (const folder of ['project', 'mounted', 'bin', 'issuer']) mkdirSync(stack.#at(folder));
    for (const name of ['log', 'audit.jsonl']) writeFileSync(stack.#at(name), '');
    stack.issuer({ kid: 'my-key-1', audience: stack.url('mcp') });
    stack.clientClock(0);
    stack.#writePrograms();
    await stack.sh(PROJECT);
    makeCertificate(stack.file('.'), 'tls');
    await stack.#startGateway();
    return stack;
  }

  #at(...path: readonly string[]): string {
    return join(this.#dir, ...path);
  }

  /** What the runbook calls words of your own. */
  #writePrograms(): void {
    const program = (name: string, text: string) =>
      writeFileSync(this.#at('bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    program('agw', `exec ${quoted(agw(clockOf(this.#at('issuer', 'clock'))))} "$@"`);
    const [kid, audience] = ['kid', 'audience'].map((name) => `"$(cat ${this.#at('issuer', name)})"`);
    program(
      'token',
      `exec ${quoted(agw())} token mint --profile dpop --key ${kid}.pem --kid ${kid} --iss ${ISSUER} ` +
        `--aud ${audience} --sub agent --client-id agent --dpop-key client.pem`,
    );
    // What the gateway has written a moment ago is on its way to the file.
    program('logs', `sleep 0.2; cat ${this.#at('audit.jsonl')} ${this.#at('log')}`);
    const mounted = this.#at('mounted');
    program(
      'deploy',
      `cp ${DEPLOYED.join(' ')} ${mounted} && kill -HUP "$(cat ${this.#at('pid')})" && sleep 0.5`,
    );
  }

  /** The URL of a route. */
  url(route: RouteName): string {
    return `https://127.0.0.1:${this.#ports.port}/${route}`;
  }

  /** In the operator's folder. */
  file(name: string): string {
    return this.#at('project', name);
  }

  /** Runs commands in the operator's folder, and fails as they do. @returns what they print */
  async sh(commands: string, route: RouteName = 'mcp'): Promise<string> {
    const shell = ['--noprofile', '--norc', '-euo', 'pipefail', '-c', commands];
    const { stdout } = await promisify(execFile)('bash', shell, {
      cwd: this.#at('project'),
      timeout: BLOCK_MS,
      env: {
        PATH: [this.#at('bin'), process.env.PATH].join(delimiter),
        HOME: this.#dir,
        GATEWAY: this.url(route),
        ADMIN: `http://127.0.0.1:${this.#ports.adminPort}`,
        CURL_CA_BUNDLE: this.file('tls.crt'),
        NODE_EXTRA_CA_CERTS: this.file('tls.crt'),
      },
    });
    return stdout;
  }

  /** Which key the issuer signs with from now on, and for whom. */
  issuer(change: { readonly kid?: string; readonly audience?: string }): void {
    for (const [name, value] of Object.entries(change)) writeFileSync(this.#at('issuer', name), value);
  }

  /** By how much the clock of the client is ahead of the gateway's. */
  clientClock(aheadSeconds: number): void {
    writeFileSync(this.#at('issuer', 'clock'), String(aheadSeconds));
  }

  /** Another pod instead of this one. */
  async restart(): Promise<void> {
    await this.#gateway?.stop();
    await this.#startGateway();
  }

  async #startGateway(): Promise<void> {
    for (const name of DEPLOYED) copyFileSync(this.file(name), this.#at('mounted', name));
    const { child, said } = (this.#gateway = await startGatewayProcess(this.#config(), {
      dir: this.#dir,
      name: 'config',
      ports: this.#ports,
    }));
    appendFileSync(this.#at('log'), said());
    child.stderr!.on('data', (chunk: Buffer) => appendFileSync(this.#at('log'), chunk));
    writeFileSync(this.#at('pid'), String(child.pid));
  }

  #config(): ConfigInput {
    const mounted = (name: (typeof DEPLOYED)[number]) => this.#at('mounted', name);
    const { backend } = this.#scene.config.routes[0]!;
    const route = (name: RouteName, auth: object) => ({
      kind: 'mcp',
      name,
      pathPrefix: `/${name}`,
      auth,
      backend,
    });
    const dpop = { profile: 'dpop', issuers: ['as'], audiences: [this.url('mcp')] };
    return {
      ...this.#scene.config,
      listen: { tls: { certFile: mounted('tls.crt'), keyFile: mounted('tls.key') } },
      publicOrigins: [new URL(this.url('mcp')).origin],
      issuers: [
        { name: 'as', issuer: ISSUER, jwks: { file: mounted('jwks.json') } },
        { name: 'clients', issuer: CLIENTS, jwks: { file: mounted('clients.json') } },
      ],
      // With its own margin: what a store that has forgotten costs clients is part of the page.
      replay: { store: 'redis', url: `redis://127.0.0.1:${this.redis.port}`, epochMarginSeconds: undefined },
      routes: [
        route('mcp', dpop),
        route('nonced', { ...dpop, nonce: { keys: { file: mounted('nonce-keys') } } }),
        route('self', { profile: 'selfSigned', issuers: ['clients'], audiences: ['mcp-gateway'] }),
      ] as ConfigInput['routes'],
      audit: { file: this.#at('audit.jsonl') },
      drainSeconds: 1,
    };
  }

  async stop(): Promise<void> {
    await this.#gateway?.stop();
    await this.redis.stop();
    this.#scene.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
