import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from '../support/free-port.js';

const BINARY = ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0);

export const hasRedis = (): boolean => BINARY !== undefined;

/** A Redis of our own on a free port of the loopback; memory only. Stopped by the pid that we started. */
export class RedisProcess {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'agw-redis-'));
  readonly #extra: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, extra: readonly string[]) {
    this.port = port;
    this.#extra = extra;
  }

  static async start(...extra: string[]): Promise<RedisProcess> {
    const redis = new RedisProcess(await freePort(), extra);
    await redis.restart();
    return redis;
  }

  /** A sentinel, quorum 1, that fails over after half a second. */
  static async sentinelOf(master: RedisProcess, name: string): Promise<RedisProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'agw-sentinel-'));
    const file = join(folder, 'sentinel.conf');
    writeFileSync(
      file,
      [
        `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
        `sentinel down-after-milliseconds ${name} 500`,
        `sentinel failover-timeout ${name} 3000`,
        '',
      ].join('\n'),
    );
    return RedisProcess.start('--config-file', file, '--sentinel');
  }

  /** One command on a connection of its own. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    const redis = new Redis({
      host: '127.0.0.1',
      port: this.port,
      lazyConnect: true,
      retryStrategy: () => null,
    });
    try {
      await redis.connect();
      return await redis.call(name, ...args);
    } finally {
      redis.disconnect();
    }
  }

  async restart(): Promise<void> {
    const config = this.#extra.indexOf('--config-file');
    const [first, extra] =
      config === -1
        ? [[], this.#extra]
        : [[this.#extra[config + 1]!], this.#extra.filter((_, i) => i !== config && i !== config + 1)];
    const memoryOnly = config === -1 ? ['--save', '', '--appendonly', 'no'] : [];
    this.#child = spawn(
      BINARY!,
      [
        ...first,
        '--port',
        String(this.port),
        '--bind',
        '127.0.0.1',
        ...memoryOnly,
        '--dir',
        this.#folder,
        ...extra,
      ],
      { stdio: 'ignore' },
    );
    for (let i = 0; i < 200; i++) {
      const socket = connect(this.port, '127.0.0.1');
      const open = await Promise.race([
        once(socket, 'connect').then(() => true),
        once(socket, 'error').then(() => false),
      ]).catch(() => false);
      socket.destroy();
      if (open) return;
      await sleep(25);
    }
    throw new Error('redis-server did not listen within 5 s');
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
