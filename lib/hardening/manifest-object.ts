/** Objects of synthesized manifests, and the pods that they make. */
import { Field } from './field';

export interface ManifestObject {
  /** Path of the file that it stands in. */
  readonly file: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** Empty where it says none: the one that kubectl is told. */
  readonly namespace: string;
  readonly root: Field;
}

/** A pod, or the template of one. */
export interface Pod {
  readonly object: ManifestObject;
  readonly metadata: Field;
  readonly spec: Field;
  /** Of every sort: init and ephemeral containers too. */
  readonly containers: readonly Field[];
}

/** The objects of a document, of which a List has several; none in an empty one. */
export function objectsOf(file: string, document: unknown): ManifestObject[] {
  const root = new Field('', document);
  const kind = root.at('kind').text;
  if (kind === 'List') return root.at('items').items.flatMap(({ value }) => objectsOf(file, value));
  if (kind === undefined) return [];
  const [group, version] = (root.at('apiVersion').text ?? '').split('/');
  const metadata = root.at('metadata');
  return [
    {
      file,
      group: version === undefined ? '' : group,
      kind,
      name: metadata.at('name').text ?? metadata.at('generateName').text ?? '(no name)',
      namespace: metadata.at('namespace').text ?? '',
      root,
    },
  ];
}

/** Where each kind has its pod, by group and kind. */
const POD_AT: Readonly<Record<string, readonly string[]>> = {
  '/Pod': [],
  '/PodTemplate': ['template'],
  '/ReplicationController': ['spec', 'template'],
  'apps/Deployment': ['spec', 'template'],
  'apps/ReplicaSet': ['spec', 'template'],
  'apps/StatefulSet': ['spec', 'template'],
  'apps/DaemonSet': ['spec', 'template'],
  'batch/Job': ['spec', 'template'],
  'batch/CronJob': ['spec', 'jobTemplate', 'spec', 'template'],
};

const CONTAINERS = ['initContainers', 'containers', 'ephemeralContainers'];

export function podOf(object: ManifestObject): Pod | undefined {
  const at = POD_AT[`${object.group}/${object.kind}`];
  if (at === undefined) return undefined;
  const pod = object.root.at(...at);
  const spec = pod.at('spec');
  const containers = CONTAINERS.flatMap((name) => spec.at(name).items);
  return { object, metadata: pod.at('metadata'), spec, containers };
}
