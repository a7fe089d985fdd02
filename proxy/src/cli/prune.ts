/** `agw prune`: which ConfigMaps of gateways nothing mounts any more, by what `kubectl get` says of a namespace. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { wallClock } from '../clock.js';
import { CliError, type Command } from './command.js';

interface Item {
  readonly kind?: unknown;
  readonly metadata?: {
    readonly name?: unknown;
    readonly namespace?: unknown;
    readonly labels?: Readonly<Record<string, unknown>>;
    readonly creationTimestamp?: unknown;
  };
  readonly immutable?: unknown;
}

/** The kinds whose pods mount ConfigMaps: without one of them a map that is in use would look as if it were not. */
const HOLDERS = ['Deployment', 'ReplicaSet', 'Pod'] as const;

const NAME = 'app.kubernetes.io/name';
/** A map is applied before what mounts it: one this young may still wait for its Deployment. */
const YOUNG_SECONDS = 3600;
/** A name of ours ends in the hash of what the map holds. */
const HASHED = /-[0-9a-f]{10}$/;

export const prune: Command = {
  usage:
    'prune [--file FILE]   reads "kubectl get configmaps,deployments,replicasets,pods -o json", prints the unused',
  summary: 'names the ConfigMaps of gateways that nothing mounts any more',
  async run(args, io) {
    const { values } = parseArgs({ args: [...args], options: { file: { type: 'string' } } });
    const items = itemsOf(readFileSync(values.file ?? 0, 'utf8'));
    for (const name of unusedConfigMaps(items, wallClock())) io.out(name);
  },
};

/**
 * Each as kubectl names it, `configmap/NAME`.
 * @param now seconds since 1970
 */
export function unusedConfigMaps(items: readonly Item[], now: number): string[] {
  const missing = HOLDERS.filter((kind) => items.every((item) => item.kind !== kind));
  if (missing.includes('Deployment') || missing.includes('ReplicaSet'))
    throw new CliError(
      'input',
      'must list the Deployments and ReplicaSets of the namespace',
      `no ${missing.join(', no ')}`,
      'kubectl get configmaps,deployments,replicasets,pods -n NAMESPACE -o json | agw prune',
    );
  const namespaces = new Set(items.map(({ metadata }) => metadata?.namespace));
  if (namespaces.size > 1)
    throw new CliError('input', 'must be of one namespace', [...namespaces].join(', '), 'name it with -n');
  const used = new Set(items.filter(({ kind }) => kind !== 'ConfigMap').flatMap(textsIn));
  return items
    .filter((item) => isOurs(item) && isOld(item, now))
    .map(({ metadata }) => metadata!.name as string)
    .filter((name) => !used.has(name))
    .map((name) => `configmap/${name}`);
}

/** Only what a gateway's construct made, and what never changes under its name. */
const isOurs = ({ kind, metadata, immutable }: Item): boolean =>
  kind === 'ConfigMap' &&
  immutable === true &&
  metadata?.labels?.[NAME] === 'agentgateway' &&
  typeof metadata.name === 'string' &&
  HASHED.test(metadata.name);

/** A map that does not say when it was made counts as young. */
const isOld = ({ metadata }: Item, now: number): boolean =>
  now - Date.parse(String(metadata?.creationTimestamp)) / 1000 > YOUNG_SECONDS;

/** Every text in it: whatever may name a ConfigMap, in whatever field, keeps it. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

function itemsOf(text: string): readonly Item[] {
  const next = 'pipe "kubectl get configmaps,deployments,replicasets,pods -n NAMESPACE -o json" into it';
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new CliError('input', 'must be JSON', JSON.stringify(text.slice(0, 40)), next);
  }
  const { items } = (list ?? {}) as { readonly items?: unknown };
  if (!Array.isArray(items)) throw new CliError('input', 'must be a list of objects', undefined, next);
  return items as readonly Item[];
}
