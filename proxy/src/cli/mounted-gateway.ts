/** The gateways of a manifest, and what their containers find at a path. */
import { posix } from 'node:path';
import { at, idOf, listAt, textAt } from './kube-objects.js';

/** Of whatever runs pods: how its container is started, and the files that it sees. */
export interface MountedGateway {
  readonly name: string;
  readonly namespace: string;
  /** Of its pods. */
  readonly labels: Readonly<Record<string, unknown>>;
  /** The path that `--config` names. */
  readonly configFile: string;
  /** What is mounted at a path; undefined where no volume of a ConfigMap or a Secret is mounted there. */
  find(path: string): MountedFile | undefined;
}

/** The text of a file, or where it comes from when the manifest does not have it. */
export type MountedFile = { readonly text: string } | { readonly missing: string };

export function gatewaysIn(objects: readonly unknown[]): MountedGateway[] {
  const configMaps = new Map(
    objects
      .filter((object) => textAt(object, 'kind') === 'ConfigMap')
      .map((object) => [idOf(object), at(object, 'data')]),
  );
  return objects.flatMap((object) => {
    const pod = at(object, 'spec', 'template', 'spec');
    const namespace = textAt(object, 'metadata', 'namespace') ?? '';
    return listAt(pod, 'containers').flatMap((container): MountedGateway[] => {
      const configFile = configOf(container);
      if (configFile === undefined) return [];
      const mounts = mountsOf(pod, container);
      const dataOf = (name: string) => configMaps.get(`${namespace}/${name}`);
      return [
        {
          name: textAt(object, 'metadata', 'name') ?? '',
          namespace,
          labels: (at(object, 'spec', 'template', 'metadata', 'labels') ?? {}) as Record<string, unknown>,
          configFile,
          find: (path) => findIn(mounts, path, dataOf),
        },
      ];
    });
  });
}

/** Its config; undefined where the manifest does not have it, and where it is no JSON, of which `agw check` tells. */
export function configIn({ find, configFile }: MountedGateway): unknown {
  const file = find(configFile);
  try {
    return file !== undefined && 'text' in file ? JSON.parse(file.text) : undefined;
  } catch {
    return undefined;
  }
}

/** The proxy is what runs `proxy.mjs serve --config FILE`. */
function configOf(container: unknown): string | undefined {
  const words = [...listAt(container, 'command'), ...listAt(container, 'args')].filter(
    (word) => typeof word === 'string',
  );
  const isProxy = words.some((word) => word.endsWith('proxy.mjs')) && words.includes('serve');
  return isProxy ? words[words.indexOf('--config') + 1] : undefined;
}

interface Mount {
  readonly path: string;
  readonly sources: readonly unknown[];
}

function mountsOf(pod: unknown, container: unknown): Mount[] {
  const volumes = listAt(pod, 'volumes');
  return listAt(container, 'volumeMounts')
    .map((mount) => ({
      path: posix.join('/', textAt(mount, 'mountPath') ?? '', '/'),
      sources: sourcesOf(volumes.find((volume) => textAt(volume, 'name') === textAt(mount, 'name'))),
    }))
    .sort((a, b) => b.path.length - a.path.length);
}

/** A volume of one object is a projected one with one source. */
function sourcesOf(volume: unknown): readonly unknown[] {
  const [configMap, secret] = [at(volume, 'configMap'), at(volume, 'secret')];
  if (configMap !== undefined) return [{ configMap }];
  if (secret !== undefined)
    return [{ secret: { name: textAt(secret, 'secretName'), items: at(secret, 'items') } }];
  return listAt(volume, 'projected', 'sources');
}

type DataOf = (configMap: string) => unknown;

function findIn(mounts: readonly Mount[], path: string, dataOf: DataOf): MountedFile | undefined {
  const file = posix.normalize(path);
  const mount = mounts.find((m) => file.startsWith(m.path));
  if (mount === undefined || mount.sources.length === 0) return undefined;
  const found = mount.sources.flatMap((source) => inSource(source, file.slice(mount.path.length), dataOf));
  return (
    found.find((candidate) => 'text' in candidate) ??
    found[0] ?? { missing: 'no ConfigMap or Secret that is mounted there has it' }
  );
}

function inSource(source: unknown, file: string, dataOf: DataOf): MountedFile[] {
  if (textAt(source, 'serviceAccountToken', 'path') === file)
    return [{ missing: 'a token that the kubelet gets for the ServiceAccount' }];
  for (const kind of ['secret', 'configMap'] as const) {
    const name = textAt(source, kind, 'name');
    const key = keyOf(at(source, kind), file);
    if (name === undefined || key === undefined) continue;
    if (kind === 'secret') return [{ missing: `Secret ${name}, key ${key}` }];
    const data = dataOf(name);
    if (data === undefined)
      return [{ missing: `ConfigMap ${name}, key ${key}, which the manifest does not have` }];
    const text = textAt(data, key);
    return text === undefined ? [] : [{ text }];
  }
  return [];
}

/** A source without items has each key as a file. */
function keyOf(source: unknown, file: string): string | undefined {
  if (at(source, 'items') === undefined) return file;
  return textAt(
    listAt(source, 'items').find((item) => textAt(item, 'path') === file),
    'key',
  );
}
