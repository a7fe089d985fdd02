/** A gateway as a process of its own, from the shipped bundle. */
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { freePort, request } from '../../../proxy/test/support/gateway.js';

export const assets = join(import.meta.dirname, '..', '..', '..', 'assets');
const READY_MS = 10_000;

export interface GatewayProcess {
  readonly port: number;
  readonly adminPort: number;
  readonly child: ChildProcess;
  /** What it said on standard error so far. */
  said(): string;
  /** What it wrote to standard output so far: the audit log, where its config names no file. */
  wrote(): string;
  /** Another text in its config file, or another config at its ports; it looks at once on SIGHUP. */
  rewrite(config: ConfigInput | string): void;
  /** SIGTERM, then the exit code; `null` for a process that a signal ended. */
  stop(): Promise<number | null>;
}

export interface GatewayProcessOptions {
  /** Where its config file goes, under `<name>.json`. */
  readonly dir: string;
  readonly name: string;
  /** Directory of its code, instead of `assets`. */
  readonly code?: string;
  /** Of node; where there are some, the process has a channel for messages, too (`child.send`). */
  readonly flags?: readonly string[];
  /** Beside what this process has. */
  readonly env?: Readonly<Record<string, string>>;
  /** Limit of open files (ulimit -n); absent: this process's. */
  readonly descriptors?: number;
  /** Ports to use instead of free ones: of the process that this one replaces. */
  readonly ports?: { readonly port: number; readonly adminPort: number };
}

/** What was made in the second in which a store began it does not vouch for. */
const nextSecond = () => new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)));

/** Resolves when it is ready and its first proofs pass. @param config without ports, which are chosen here */
export async function startGatewayProcess(
  config: ConfigInput,
  { dir, name, ports, code = assets, flags = [], env = {}, descriptors }: GatewayProcessOptions,
): Promise<GatewayProcess> {
  const { port, adminPort } = ports ?? { port: await freePort(), adminPort: await freePort() };
  const file = join(dir, `${name}.json`);
  const rewrite = (text: ConfigInput | string) =>
    writeFileSync(
      file,
      typeof text === 'string'
        ? text
        : JSON.stringify({
            ...text,
            // Clients here take no nonces and have our clock: what they make from the next second on passes.
            replay: { epochMarginSeconds: 0, ...text.replay },
            listen: { host: '127.0.0.1', ...text.listen, port },
            admin: { host: '127.0.0.1', port: adminPort },
          }),
    );
  rewrite(config);
  const command = [process.execPath, ...flags, join(code, 'proxy.mjs'), 'serve', '--config', file];
  const limited = ['sh', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh', ...command];
  const [program, ...args] = descriptors === undefined ? command : limited;
  const child = spawn(program!, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...(flags.length > 0 ? (['ipc'] as const) : [])],
    env: { ...process.env, ...env },
  });
  let said = '';
  let wrote = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    wrote += chunk.toString();
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const until = performance.now() + READY_MS;
  while ((await request(adminPort, { path: '/readyz' }).catch(() => undefined))?.status !== 200) {
    if (child.exitCode !== null || performance.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`gateway ${name}: not ready; it said: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await nextSecond();
  return {
    port,
    adminPort,
    child,
    said: () => said,
    wrote: () => wrote,
    rewrite,
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
