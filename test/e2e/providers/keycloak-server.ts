/** A real Keycloak on loopback, with a database in memory: fetched by Maven, kept built in the user's cache. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, request } from '../../../proxy/test/support/gateway.js';
import { programOf } from '../support/daemon.js';

export const VERSION = '26.7.3';
const ARTIFACT = `org.keycloak:keycloak-quarkus-dist:${VERSION}:tar.gz`;
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cdk8s-agentgateway');
const HOME = join(CACHE, `keycloak-${VERSION}`);
const [FETCH_MS, READY_MS] = [120_000, 240_000];
/** It lives for seconds: the fast compiler alone has it started in half the time. */
const JVM = { JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1 -Xmx768m' };
const ADMIN = { username: 'admin', password: 'admin' };

/** Why there is no Keycloak to test with, after it was fetched where that is possible; `undefined`: there is one. */
export function missingKeycloak(): string | undefined {
  const programs = ['java', 'tar', ...(existsSync(HOME) ? [] : ['mvn'])];
  const missing = programs.filter((name) => programOf(name) === undefined);
  if (missing.length > 0) return `${missing.join(' and ')} not found`;
  if (existsSync(HOME)) return undefined;
  mkdirSync(CACHE, { recursive: true });
  const dir = mkdtempSync(join(CACHE, 'fetched-'));
  try {
    const copy = ['-q', '-B', 'dependency:copy', `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${dir}`];
    execFileSync('mvn', copy, { cwd: dir, timeout: FETCH_MS, stdio: 'pipe' });
  } catch (cause) {
    rmSync(dir, { recursive: true });
    return `Maven cannot fetch ${ARTIFACT}: ${String((cause as { stdout?: Buffer }).stdout).slice(0, 300)}`;
  }
  // What was fetched and cannot be used is a fault of this test, not of a machine without Keycloak.
  const unpacked = join(dir, 'keycloak');
  mkdirSync(unpacked);
  const archive = join(dir, `keycloak-quarkus-dist-${VERSION}.tar.gz`);
  execFileSync('tar', ['-xzf', archive, '-C', unpacked, '--strip-components=1']);
  execFileSync(join(unpacked, 'bin', 'kc.sh'), ['build', '--db=dev-mem'], {
    env: { ...process.env, ...JVM },
    timeout: READY_MS,
    stdio: 'pipe',
  });
  renameSync(unpacked, HOME);
  rmSync(dir, { recursive: true });
  return undefined;
}

export class Keycloak {
  readonly origin: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #said = '';

  private constructor(port: number) {
    this.origin = `http://127.0.0.1:${port}`;
    const listen = ['--http-enabled=true', '--http-host=127.0.0.1', `--http-port=${port}`];
    const args = ['start', '--optimized', ...listen, '--hostname-strict=false', '--cache=local'];
    // The script waits for the server, so both are a group that is ended as one.
    this.#child = spawn(join(HOME, 'bin', 'kc.sh'), args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...JVM,
        KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username,
        KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password,
      },
    });
    const hear = (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-10_000);
    };
    this.#child.stdout!.on('data', hear);
    this.#child.stderr!.on('data', hear);
    this.#exited = new Promise((resolve) => {
      this.#child.once('close', () => resolve());
    });
  }

  static async start(): Promise<Keycloak> {
    const port = await freePort();
    const keycloak = new Keycloak(port);
    const until = performance.now() + READY_MS;
    while ((await request(port, { path: '/realms/master' }).catch(() => undefined))?.status !== 200) {
      if (keycloak.#child.exitCode !== null || performance.now() > until) {
        await keycloak.stop();
        throw new Error(`Keycloak is not ready; it said: ${keycloak.#said}`);
      }
      await sleep(100);
    }
    return keycloak;
  }

  /** Its admin API. @param path below `/admin/realms` */
  async admin(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${this.origin}/admin/realms${path}`, {
      method,
      headers: { authorization: `Bearer ${await this.#adminToken()}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  async #adminToken(): Promise<string> {
    const answer = await fetch(`${this.origin}/realms/master/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...ADMIN }),
    });
    return ((await answer.json()) as { access_token: string }).access_token;
  }

  stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null)
      process.kill(-this.#child.pid!, 'SIGKILL');
    return this.#exited;
  }
}
