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

/** What an object is where it does not say it: a DeploymentList has Deployments. */
interface Type {
  readonly kind?: string;
  readonly apiVersion?: string;
}

/** What it says of it. */
const typeOf = (root: Field): Type => {
  const [kind, apiVersion] = [root.at('kind').text, root.at('apiVersion').text];
  return { ...(kind === undefined ? {} : { kind }), ...(apiVersion === undefined ? {} : { apiVersion }) };
};

/** The objects of a document: several where it has items, which makes it a list to kubectl; none in an empty one. */
export function objectsOf(file: string, document: unknown, inherited: Type = {}): ManifestObject[] {
  const root = new Field('', document);
  const { kind, apiVersion } = { ...inherited, ...typeOf(root) };
  const { items } = root.at('items');
  if (items.length > 0) {
    const type = { kind: kind?.replace(/List$/, '') || undefined, apiVersion };
    return items.flatMap(({ value }) => objectsOf(file, value, type));
  }
  if (kind === undefined) return [];
  const [group, version] = (apiVersion ?? '').split('/');
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
