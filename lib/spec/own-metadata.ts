/** Labels and annotations that are the library's own; a user's stand beside them. */
import { VERSION } from '../support/package';

/** What every object says of where it comes from, unless its construct says otherwise. */
export const LIBRARY_LABELS: Readonly<Record<string, string>> = {
  'app.kubernetes.io/managed-by': 'cdk8s',
  'app.kubernetes.io/part-of': 'cdk8s-agentgateway',
  'app.kubernetes.io/version': VERSION,
};

/** Of the pods. */
export const POD_ANNOTATIONS: Readonly<Record<string, string>> = {
  'kubectl.kubernetes.io/default-container': 'dpop-proxy',
};
