import { agentgatewayYaml } from '../config/agentgateway-config';
import { configProblems, configText } from '../config/proxy-config';
import { GatewaySpec, usesAgentgateway } from '../spec/gateway-spec';
import { inlineKeySets } from '../spec/issuers';
import { ANNOTATION_LIMIT, annotationBytes } from '../support/annotation';
import { Violation } from '../support/text';

/** Names, labels and annotations of a ConfigMap, beside its files. */
const ROOM_FOR_METADATA = 2_048;

/** Of what does not fit, `kubectl apply` would fail half way, with the other objects applied. */
export function sizeViolations(spec: GatewaySpec): Violation[] {
  // What is not valid has no files yet.
  if (configProblems(spec).length > 0) return [];
  const files: Record<string, string>[] = [
    { 'config.json': configText(spec), ...inlineKeySets(spec) },
    ...(usesAgentgateway(spec) ? [{ 'config.yaml': agentgatewayYaml(spec) }] : []),
  ];
  return files.flatMap((data): Violation[] => {
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: {}, data };
    const bytes = annotationBytes(map) + ROOM_FOR_METADATA;
    if (bytes <= ANNOTATION_LIMIT) return [];
    const parts = Object.entries(data).map(([file, text]) => `${file} ${Buffer.byteLength(text)}`);
    return [
      {
        where: 'routes and jwks',
        want: `must fit into a ConfigMap that kubectl can apply, ${ANNOTATION_LIMIT} bytes`,
        got: `${bytes} (${parts.join(', ')})`,
        next:
          'give some of the routes to another gateway, leave x5c out of the keys, or fetch them: ' +
          'JwksSource.fromUrl',
      },
    ];
  });
}
