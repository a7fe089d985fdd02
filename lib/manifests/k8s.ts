/** The only door to cdk8s-plus-28: its typed Kubernetes objects, none of its own abstractions. */
import { ApiObject, ApiObjectMetadata, ApiObjectProps, GroupVersionKind, JsonPatch, Lazy } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { LIBRARY_LABELS } from '../spec/own-metadata';
import { chartDirectory, templated } from './helm-chart';

export { k8s };

export interface Kind {
  readonly GVK: GroupVersionKind;
  manifest(props: object): Record<string, unknown>;
}

const OURS = new WeakSet<ApiObject>();

/** Whether a construct of this library emits it. */
export const isOurs = (object: ApiObject): boolean => OURS.has(object);

/** What becomes of an object in a Helm chart, given what it is elsewhere. */
type ToTemplate = (json: object, directory: string) => object;

const TEMPLATES = new WeakMap<ApiObject, ToTemplate>();

/** Of objects that can be set by values of the chart. */
export function inChart(object: ApiObject, toTemplate: ToTemplate): void {
  TEMPLATES.set(object, toTemplate);
}

/** An object of this library: labelled as one, and a template where the app is synthesized as a Helm chart. */
class EmittedObject extends ApiObject {
  constructor(scope: Construct, id: string, props: ApiObjectProps) {
    super(scope, id, props);
    OURS.add(this);
    for (const [label, value] of Object.entries(LIBRARY_LABELS)) {
      if (this.metadata.getLabel(label) === undefined) this.metadata.addLabel(label, value);
    }
  }

  /** Renders the object to Kubernetes JSON, or to a template that Helm renders to it. */
  public toJson(): ReturnType<ApiObject['toJson']> {
    const json = super.toJson() as object;
    const directory = chartDirectory(this);
    if (directory === undefined) return json;
    return (TEMPLATES.get(this) ?? templated)(json, directory);
  }
}

/**
 * One object whose top-level `fields` are produced at synth. A plain ApiObject keeps every JSON patch of a
 * user, where the generated Kube* classes filter the patched result once more and drop what they do not know.
 */
export function emit(
  scope: Construct,
  id: string,
  kind: Kind,
  metadata: ApiObjectMetadata,
  produce: () => object,
  fields: string[] = ['spec'],
): ApiObject {
  const lazy = Object.fromEntries(
    fields.map((field) => [field, Lazy.any({ produce: () => kind.manifest(produce())[field] })]),
  );
  return new EmittedObject(scope, id, { ...kind.GVK, metadata, ...lazy });
}

/** A kind whose fields are written as they are: it is not known to cdk8s-plus-28, or not all of them are. */
export const asGiven = (GVK: GroupVersionKind): Kind => ({
  GVK,
  manifest: (fields) => fields as Record<string, unknown>,
});

/** An object of a kind that cdk8s-plus-28 does not know. */
export function emitRaw(
  scope: Construct,
  id: string,
  gvk: GroupVersionKind,
  metadata: ApiObjectMetadata,
  fields: object,
): ApiObject {
  return new EmittedObject(scope, id, { ...gvk, metadata, ...fields });
}

/**
 * An object whose name is known at synth only, as a Lazy is. But cdk8s also names files after `metadata.name`, where a
 * Lazy is no name: there it is asked.
 */
export function emitNamed(
  scope: Construct,
  id: string,
  gvk: GroupVersionKind,
  { name: produce, ...metadata }: Omit<ApiObjectMetadata, 'name'> & { readonly name: () => string },
  fields: object,
): ApiObject {
  const name = Lazy.any({ produce }) as unknown as string;
  const object = emitRaw(scope, id, gvk, { ...metadata, name }, fields);
  Object.defineProperty(object.metadata, 'name', { get: produce, enumerable: true });
  return object;
}

/** A cluster-scoped object would inherit the namespace of its chart. */
export function clusterScoped(object: ApiObject): ApiObject {
  if (object.metadata.namespace !== undefined) object.addJsonPatch(JsonPatch.remove('/metadata/namespace'));
  return object;
}
