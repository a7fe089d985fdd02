/** What `kubectl apply` writes into the annotations of an object, which all together have a bound. */

/** Of all annotations of an object together (k8s.io/apimachinery, TotalAnnotationSizeLimitB). */
export const ANNOTATION_LIMIT = 262_144;

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';

/** What Go's JSON encoder writes as six bytes, and `JSON.stringify` as it stands. */
const ESCAPED_BY_GO = /[<>&\u2028\u2029]/g;

/**
 * Bytes of the annotation, its name included: `kubectl` writes the object as one line of JSON, with annotations
 * that are empty. Held against the real one in test/e2e/cluster/kubectl.test.ts.
 */
export function annotationBytes(object: object & { readonly metadata: object }): number {
  const applied = { ...object, metadata: { ...object.metadata, annotations: {} } };
  const json = JSON.stringify(applied).replace(ESCAPED_BY_GO, '\\u0000');
  return Buffer.byteLength(ANNOTATION) + Buffer.byteLength(`${json}\n`);
}
