/** The only door to cdk8s-plus-28: its typed Kubernetes objects, none of its own abstractions. */
import { ApiObject, ApiObjectMetadata, GroupVersionKind, JsonPatch, Lazy } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';

export { k8s };

interface Kind {
  readonly GVK: GroupVersionKind;
  manifest(props: object): Record<string, unknown>;
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
  return new ApiObject(scope, id, { ...kind.GVK, metadata, ...lazy });
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
  return new ApiObject(scope, id, { ...gvk, metadata, ...fields });
}

/** A cluster-scoped object would inherit the namespace of its chart. */
export function clusterScoped(object: ApiObject): ApiObject {
  if (object.metadata.namespace !== undefined) object.addJsonPatch(JsonPatch.remove('/metadata/namespace'));
  return object;
}
