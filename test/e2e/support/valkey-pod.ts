/**
 * The pod of a gateway's own Valkey without a kubelet: its volumes laid out as its StatefulSet says, its init container
 * run, and then its program. Of what was synthesized nothing is changed but where files lie, the port, and what the
 * programs are called.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon, programOf } from './daemon.js';

interface Projected {
  readonly name: string;
  readonly items: readonly { readonly key: string; readonly path: string }[];
}
interface Container {
  readonly command: readonly string[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly livenessProbe: { readonly exec: { readonly command: readonly string[] } };
}
interface PodSpec {
  readonly initContainers: readonly [Container];
  readonly containers: readonly [Container];
  readonly volumes: readonly {
    readonly name: string;
    readonly projected?: {
      readonly sources: readonly { readonly configMap?: Projected; readonly secret?: Projected }[];
    };
  }[];
}
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly dnsNames: readonly string[];
    readonly secretName: string;
    readonly template: { readonly spec: PodSpec };
  };
}

/** By name: what is in each Secret. */
export type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>;

const SERVERS = ['valkey-server', 'redis-server'];
export const valkeyMissing = (): string[] =>
  SERVERS.some((name) => programOf(name) !== undefined) ? [] : ['redis-server'];

/** Paths in the pod; each lies under a directory of the test's own. */
const PATHS = /\/(etc|run)\/valkey/g;
const PORT = /\b6379\b/g;
const LISTENS_MS = 5_000;

export class ValkeyPod {
  readonly port: number;
  readonly #root: string;
  readonly #objects: readonly Manifest[];
  #daemon: Daemon | undefined;

  constructor(objects: readonly Manifest[], { root, port }: { root: string; port: number }) {
    this.#objects = objects;
    this.#root = root;
    this.port = port;
  }

  get spec(): PodSpec {
    return this.#objects.find(({ kind }) => kind === 'StatefulSet')!.spec!.template.spec;
  }

  /** As when the pod begins: nothing is left of the one before. Throws what the init container said. */
  async start(secrets: Secrets): Promise<void> {
    rmSync(this.#root, { recursive: true, force: true });
    const [users] = this.spec.initContainers;
    const [server] = this.spec.containers;
    this.#mount(users, secrets);
    const [, ...args] = users.command;
    execFileSync(process.execPath, args.map(this.#local), { stdio: 'pipe' });
    this.#mount(server, secrets);
    this.#daemon = new Daemon(programOf(SERVERS.find(programOf)!)!, server.command.slice(1).map(this.#local));
    for (let waited = 0; !(await this.#listens()); waited += 25) {
      if (waited > LISTENS_MS) throw new Error('Valkey does not listen');
      await sleep(25);
    }
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
    this.#daemon = undefined;
  }

  /** The exit code of the probe. */
  probe(): number | null {
    const [program, ...args] = this.spec.containers[0].livenessProbe.exec.command;
    const found = programOf(program!) ?? programOf('redis-cli')!;
    return spawnSync(found, args.map(this.#local), { stdio: 'pipe' }).status;
  }

  readonly #local = (text: string): string =>
    text.replace(PATHS, (path) => this.#root + path).replace(PORT, String(this.port));

  #mount({ volumeMounts }: Container, secrets: Secrets): void {
    for (const { name, mountPath } of volumeMounts) {
      const directory = this.#local(mountPath);
      mkdirSync(directory, { recursive: true });
      const volume = this.spec.volumes.find((each) => each.name === name)!;
      for (const { configMap, secret } of volume.projected?.sources ?? []) {
        const data = secret === undefined ? this.#configMap(configMap!.name) : secrets[secret.name]!;
        for (const { key, path } of (configMap ?? secret)!.items) {
          mkdirSync(dirname(join(directory, path)), { recursive: true });
          writeFileSync(join(directory, path), this.#local(data[key]!));
        }
      }
    }
  }

  #configMap(name: string): Readonly<Record<string, string>> {
    return this.#objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name)!.data!;
  }

  #listens(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      const end = (open: boolean) => () => {
        socket.destroy();
        resolve(open);
      };
      socket.once('connect', end(true)).once('error', end(false));
    });
  }
}
