/** What the config's parser says, in words of the props that the config was made of. */
import { GatewaySpec } from '../spec/gateway-spec';
import { issuersOf } from '../spec/issuers';

/** Where a field begins, and the prop that it was made of. The first that fits is taken. */
type Names = readonly (readonly [RegExp, string])[];

const OF_GATEWAY: Names = [
  [/^listen\.tls\b.*/, 'tlsSecretName'],
  [/^replay\.store\b/, 'replayStore'],
  [/^replay\.url\b/, 'replayStore.host'],
  [/^replay\.onStoreFailure\b/, 'replayStore.onFailure'],
  [/^replay\.topology\.(master|sentinels|nodes)\b/, 'replayStore.topology.$1'],
  [/^replay\.caFile\b/, 'replayStore.ca'],
  [/^replay\b/, 'replayStore'],
  [/^tracing\.caFile\b/, 'tracing.ca'],
  [/^egressProxy\.caFile\b/, 'egressProxy.ca'],
];

const OF_ISSUER: Names = [
  [/^jwks\.caFile\b/, 'jwks.ca'],
  [/^introspection\.caFile\b/, 'auth.introspection.ca'],
  [/^introspection\b/, 'auth.introspection'],
  [/^legacyTyp\b/, 'auth.legacyTyp'],
  [/^preset\b/, 'auth.issuerPreset'],
];

const OF_ROUTE: Names = [
  [/^auth\.profile\b/, 'auth'],
  [/^auth\.issuers\b.*/, 'auth.issuer'],
  [/^auth\.audiences\b.*/, 'auth.audience'],
  [/^backend\.(url|redirectBases)\b/, 'backend'],
  [/^backend\.endpoints\b/, 'backendEndpoints'],
  [/^backend\.caFile\b/, 'backendCa'],
  [/^backend\.clientCertificate\b.*/, 'backendCertificateSecret'],
  [/^backend\.serverName\b/, 'backendServerName'],
  [/^backend\.host\b/, 'backendHost'],
  [/^backend\.(secretNames|secretKeys)\b/, '$1'],
];

const OF_CREDENTIAL: Names = [
  [/^backend\.credential\.header\b/, 'credentialHeader'],
  [/^backend\.credential\.prefix\b/, 'credentialPrefix'],
  [/^backend\.credential(\.kind\b)?/, 'credential'],
];

const OF_EXCHANGE: Names = [
  [/^backend\.credential\.caFile\b/, 'tokenExchange.ca'],
  [/^backend\.credential(\.kind\b)?/, 'tokenExchange'],
];

/** Durations are in seconds there, and say so. */
const renamed = (field: string, names: Names) => {
  const [pattern, prop] = names.find(([each]) => each.test(field)) ?? [/^/, ''];
  return field.replace(pattern, prop).replace(/Seconds$/, '');
};

/** Fields that a text speaks of beside its own. */
const MENTIONS: Names = [
  [/\blisten\.tls\b/g, 'tlsSecretName'],
  [/\bthe redis store\b/g, 'ReplayStore.redis'],
  [/\ba redis replay store\b/g, 'ReplayStore.redis'],
  [/ as url is\b/g, ' as backend is'],
];

const NO_ROUTE = 'routes: must be at least one; add an McpRoute or a SecretsRoute';

/** A problem, and the name of the route that has it. */
export interface PropProblem {
  readonly route?: string;
  readonly text: string;
}

/** @param problems of the config of this gateway, in the words of its parser */
export function inPropWords(problems: readonly string[], spec: GatewaySpec): PropProblem[] {
  // An issuer comes with the first route that trusts it.
  if (spec.routes.length === 0) {
    const others = problems.filter((problem) => !/^(routes|issuers): /.test(problem));
    return [{ text: NO_ROUTE }, ...others.map((problem) => translated(problem, spec))];
  }
  return problems.map((problem) => translated(problem, spec));
}

function translated(problem: string, spec: GatewaySpec): PropProblem {
  const end = problem.indexOf(': ');
  const text = mentionsRenamed(problem.slice(end), spec);
  const [, list, at, field] = /^(routes|issuers)\[(\d+)\]\.(.*)$/s.exec(problem.slice(0, end)) ?? [];
  if (list === 'routes') {
    const route = spec.routes[Number(at)];
    const exchanges = route.kind === 'mcp' && route.tokenExchange !== undefined;
    const names = [...OF_ROUTE, ...(exchanges ? OF_EXCHANGE : OF_CREDENTIAL)];
    return { route: route.name, text: renamed(field, names) + text };
  }
  if (list === 'issuers') return { text: issuerProp(field, Number(at), spec) + text };
  return { text: renamed(problem.slice(0, end), OF_GATEWAY) + text };
}

/** The gateway's own issuer and keys are its props, those of a profile options of it. */
function issuerProp(field: string, at: number, spec: GatewaySpec): string {
  const prop = renamed(field, OF_ISSUER);
  const { issuer } = issuersOf(spec)[at];
  return issuer === spec.issuer || /^(auth|algorithms)\b/.test(prop) ? prop : `auth.${prop}`;
}

function mentionsRenamed(text: string, spec: GatewaySpec): string {
  const named = text.replace(
    /\broutes\[(\d+)\]( \("[^"]*"\))?/g,
    (_, at: string) => `route "${spec.routes[Number(at)].name}"`,
  );
  return MENTIONS.reduce((said, [field, prop]) => said.replace(field, prop), named);
}
