/** A cluster as `agw doctor` asks it: by the user's own kubectl, which knows how to log in. */
import { execFile } from 'node:child_process';
import { at, listAt } from '../kube-objects.js';
import type { Finding } from './finding.js';

const TIMEOUT_MS = 20_000;
/** The ConfigMaps of a namespace with several gateways take some MiB. */
const MAX_BYTES = 64 * 2 ** 20;
const MOST_TOLD = 200;
/** Each is a process of its own, and manifests may name any number of APIs. */
const MOST_AT_ONCE = 8;

export interface Cluster {
  /** JSON at a path of its API; undefined: nothing is there. Rejects where it cannot be asked. */
  get(path: string): Promise<unknown>;
  /** What it answers to an object of a review: those are not stored. */
  review(path: string, object: unknown): Promise<unknown>;
}

export interface ClusterOptions {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

export function kubectlCluster({ kubeconfig, context }: ClusterOptions): Cluster {
  const options = [
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
    ...(context === undefined ? [] : ['--context', context]),
  ];
  return {
    async get(path) {
      try {
        return JSON.parse(await kubectl(['get', '--raw', path, ...options], '')) as unknown;
      } catch (cause) {
        if ((cause as Error).message.includes('(NotFound)')) return undefined;
        throw cause;
      }
    },
    review: async (path, object) =>
      JSON.parse(
        await kubectl(['create', '--raw', path, '-f', '-', ...options], JSON.stringify(object)),
      ) as unknown,
  };
}

const turns = inTurns(MOST_AT_ONCE);
const kubectl = (args: readonly string[], input: string) => turns(() => runKubectl(args, input));

/** Runs no more than so many at once; others wait. */
function inTurns(most: number): <T>(start: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (start) => {
    if (running < most) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await start();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

function runKubectl(args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'kubectl',
      args,
      { timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES },
      (cause, stdout, stderr) => {
        if (cause === null) return resolve(stdout);
        const { code } = cause as NodeJS.ErrnoException;
        reject(new Error(code === 'ENOENT' ? 'there is no kubectl in the PATH' : reasonOf(stderr, cause)));
      },
    );
    // One that ends without reading it has said why.
    child.stdin!.on('error', () => {});
    child.stdin!.end(input);
  });
}

const reasonOf = (stderr: string, cause: Error): string =>
  `kubectl: ${(stderr.trim().split('\n').at(-1) || cause.message).slice(0, MOST_TOLD)}`;

/** What a check wants to know of a cluster. */
export interface Question {
  readonly check: string;
  readonly of: string;
  readonly want: string;
}

const NOT_ASKED = 'add --cluster, --context NAME or --kubeconfig FILE';

/** What is found by asking; a line that says why it cannot be told where there is nobody to ask, or no answer. */
export async function askCluster(
  cluster: Cluster | undefined,
  question: Question,
  find: (cluster: Cluster) => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  if (cluster === undefined)
    return [{ ...question, result: 'unknown', got: 'no cluster was asked', next: NOT_ASKED }];
  try {
    return await find(cluster);
  } catch (cause) {
    const next = 'let this user read it (kubectl auth can-i), or ask whoever may';
    return [{ ...question, result: 'unknown', got: (cause as Error).message, next }];
  }
}

/** The API paths of objects that are looked at when no manifest is given. */
const KINDS = [
  ['Deployment', 'apps/v1', 'deployments'],
  ['ConfigMap', 'v1', 'configmaps'],
  ['NetworkPolicy', 'networking.k8s.io/v1', 'networkpolicies'],
  ['CiliumNetworkPolicy', 'cilium.io/v2', 'ciliumnetworkpolicies'],
  ['Secret', 'v1', 'secrets?fieldSelector=type%3Dkubernetes.io%2Ftls'],
] as const;

/** What runs in a namespace. Of Secrets only certificates are kept. @param onUnread takes what may not be read */
export async function objectsIn(
  namespace: string,
  cluster: Cluster,
  onUnread: (finding: Finding) => void,
): Promise<readonly unknown[]> {
  const lists = await Promise.all(
    KINDS.map(async ([kind, apiVersion, resource]) => {
      const group = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
      const path = `${group}/namespaces/${encodeURIComponent(namespace)}/${resource}`;
      const question = { check: 'what runs', of: `${kind}s in ${namespace}`, want: 'to be read' };
      let items: readonly unknown[] = [];
      const unread = await askCluster(cluster, question, async () => {
        items = listAt(await cluster.get(path), 'items');
        return [];
      });
      unread.forEach(onUnread);
      return items.map((item) => ({ ...(item as object), kind, apiVersion }));
    }),
  );
  return lists.flat().map((object) => (object.kind === 'Secret' ? withoutKeys(object) : object));
}

const withoutKeys = (secret: object): object => ({
  ...secret,
  data: { 'tls.crt': at(secret, 'data', 'tls.crt'), 'ca.crt': at(secret, 'data', 'ca.crt') },
});
