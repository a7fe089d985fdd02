import { NAME_PARAMETERS } from './mcp-methods.js';
import { duplicate, repeatedProblems, show, type Problem } from './problem.js';
import type { Config, Issuer, McpRoute, Route, SecretsRoute } from './schema.js';

/** What surrounds a route, as far as it is intact. */
export interface RouteContext {
  readonly issuers: readonly (Issuer | undefined)[];
  readonly replay?: Config['replay'] | undefined;
}

/** @param where the route stands in the file: `routes[2]` */
type RouteRule<R extends Route> = (where: string, route: R, context: RouteContext) => Problem[];

const RULES: readonly RouteRule<Route>[] = [
  reservedPathProblems,
  unknownIssuerProblems,
  introspectionProblems,
  sharedLimitProblems,
];
/** Secrets are read by proven callers only: whatever an MCP route may give up, a secrets route may not (decision 7). */
const SECRETS_RULES: readonly RouteRule<SecretsRoute>[] = [
  laxProofProblems,
  storeFailureProblems,
  secretKeyProblems,
];
const MCP_RULES: readonly RouteRule<McpRoute>[] = [
  exchangeProblems,
  passedTokenProblems,
  backendTlsProblems,
  localAddressProblems,
  endpointProblems,
  redirectBaseProblems,
  ruleNameProblems,
  ruleClaimProblems,
];

/** The rules between the fields of one route, and between it and the issuers and the replay store. */
export function routeProblems(where: string, route: Route, context: RouteContext): Problem[] {
  return [
    ...RULES.flatMap((rule) => rule(where, route, context)),
    ...(route.kind === 'secrets'
      ? SECRETS_RULES.flatMap((rule) => rule(where, route, context))
      : MCP_RULES.flatMap((rule) => rule(where, route, context))),
  ];
}

/** Paths the gateway answers itself, before any route. */
const RESERVED = ['/healthz', '/.well-known'];

function reservedPathProblems(where: string, { pathPrefix }: Route): Problem[] {
  return RESERVED.filter((reserved) => pathPrefix === reserved || pathPrefix.startsWith(`${reserved}/`)).map(
    (reserved) => ({
      where: `${where}.pathPrefix`,
      want: `must not lie under ${reserved}, which the gateway answers itself`,
      got: show(pathPrefix),
    }),
  );
}

function unknownIssuerProblems(where: string, { auth }: Route, { issuers }: RouteContext): Problem[] {
  // An issuer that is not intact may have any name.
  if (issuers.length === 0 || issuers.includes(undefined)) return [];
  const known = issuers.map((issuer) => issuer!.name);
  return auth.issuers.flatMap((name, i) =>
    known.includes(name)
      ? []
      : [
          {
            where: `${where}.auth.issuers[${i}]`,
            want: 'must name an entry of issuers',
            got: show(name),
            next: `known: ${known.map(show).join(', ')}`,
          },
        ],
  );
}

function introspectionProblems(where: string, { auth }: Route, { issuers }: RouteContext): Problem[] {
  const asked = issuers.flatMap((issuer) =>
    issuer?.introspection !== undefined && auth.issuers.includes(issuer.name) ? [issuer.name] : [],
  );
  const problems: Problem[] = [];
  if (asked.length > 1)
    problems.push({
      where: `${where}.auth.issuers`,
      want: 'must name at most one issuer with introspection: an opaque token does not say whose it is',
      got: show(asked),
    });
  if (auth.profile === 'selfSigned' && asked.length > 0)
    problems.push({
      where: `${where}.auth.issuers`,
      want: 'must name issuers with jwks only: a self-signed token is never introspected',
      got: show(asked),
    });
  return problems;
}

function sharedLimitProblems(where: string, { rateLimit }: Route, { replay }: RouteContext): Problem[] {
  if (rateLimit?.shared !== true) return [];
  const { maxTokens, tokensPerFill, fillIntervalSeconds } = rateLimit;
  const fillSeconds = (maxTokens / tokensPerFill) * fillIntervalSeconds;
  const problems: Problem[] = [];
  if (replay !== undefined && replay.store !== 'redis')
    problems.push({
      where: `${where}.rateLimit.shared`,
      want: 'must go with a redis replay store, which keeps the buckets',
      got: 'true',
      next: 'use the redis store, or leave it out',
    });
  if (fillSeconds < 1)
    problems.push({
      where: `${where}.rateLimit`,
      want: 'must take at least a second to fill where it is shared',
      got: `${show(fillSeconds)} s`,
      next: 'raise maxTokens, or lower tokensPerFill',
    });
  return problems;
}

/** What a secrets route's own authentication must not leave out. */
function laxProofProblems(where: string, { auth }: SecretsRoute): Problem[] {
  const problems: Problem[] = [];
  if (auth.profile === 'mixed')
    problems.push({
      where: `${where}.auth.profile`,
      want: 'must not be "mixed" on a secrets route: a stolen unbound token would read Secrets',
      got: '"mixed"',
      next: 'use "dpop"',
    });
  if (auth.mode !== 'strict')
    problems.push({
      where: `${where}.auth.mode`,
      want: 'must be "strict" on a secrets route: any other mode reads Secrets for callers without a proof',
      got: show(auth.mode),
      next: 'remove the mode',
    });
  if (auth.profile === 'selfSigned' && !auth.enforceHtuHtm)
    problems.push({
      where: `${where}.auth.enforceHtuHtm`,
      want: 'must be true on a secrets route: a token that was made for another request would read Secrets',
      got: 'false',
      next: 'remove it',
    });
  return problems;
}

function storeFailureProblems(_where: string, _route: SecretsRoute, { replay }: RouteContext): Problem[] {
  if (replay?.store !== 'redis' || replay.onStoreFailure !== 'allow') return [];
  return [
    {
      where: 'replay.onStoreFailure',
      want: 'must not be "allow" beside a secrets route: a stolen proof would read Secrets while Redis is away',
      got: '"allow"',
      next: 'use "deny", or give the secrets route a gateway of its own',
    },
  ];
}

function secretKeyProblems(where: string, { backend: { secretNames, secretKeys } }: SecretsRoute): Problem[] {
  return Object.keys(secretKeys)
    .filter((name) => !secretNames.includes(name))
    .map((name) => ({
      where: `${where}.backend.secretKeys`,
      want: 'must name Secrets of secretNames',
      got: show(name),
      next: `known: ${secretNames.map(show).join(', ')}`,
    }));
}

function exchangeProblems(where: string, { auth, backend: { credential } }: McpRoute): Problem[] {
  if (credential.kind !== 'exchange') return [];
  const problems: Problem[] = [];
  if (credential.audience === undefined && credential.resource === undefined)
    problems.push({
      where: `${where}.backend.credential`,
      want: 'must name the backend by audience or resource, or the token it gets is good anywhere',
      got: 'neither',
    });
  if (auth.mode !== 'strict')
    problems.push({
      where: `${where}.auth.mode`,
      want: 'must be "strict" where tokens are exchanged: who has none has nothing to exchange',
      got: show(auth.mode),
    });
  if (auth.profile === 'selfSigned')
    problems.push({
      where: `${where}.backend.credential.kind`,
      want: 'must not be "exchange" on a selfSigned route: its tokens are no authorization server\'s',
      got: '"exchange"',
    });
  return problems;
}

function passedTokenProblems(where: string, { backend: { credential, url } }: McpRoute): Problem[] {
  if (credential.kind !== 'verifiedToken' || isLoopback(url)) return [];
  return [
    {
      where: `${where}.backend.credential.kind`,
      want: 'must not be "verifiedToken" for a backend outside the pod: MCP forbids passing the client\'s token on',
      got: show(url),
      next: 'inject a credential of the gateway with { kind: "file" }',
    },
  ];
}

const NAMED_METHODS = [...NAME_PARAMETERS.keys()];

function ruleNameProblems(where: string, { allow = [] }: McpRoute): Problem[] {
  const carriesName = (method: string) =>
    method.endsWith('/*')
      ? NAMED_METHODS.some((named) => named.startsWith(method.slice(0, -1)))
      : NAMED_METHODS.includes(method);
  return allow.flatMap(({ method, names }, i) =>
    names === undefined || carriesName(method)
      ? []
      : [
          {
            where: `${where}.allow[${i}].names`,
            want: 'must be left out: no message of this method carries a name, so the rule would let none pass',
            got: show(method),
            next: `a name is in ${NAMED_METHODS.join(', ')}`,
          },
        ],
  );
}

/** What the caller itself wrote into its token proves nothing. */
function ruleClaimProblems(where: string, { allow = [], auth }: McpRoute): Problem[] {
  if (auth.profile !== 'selfSigned') return [];
  return allow.flatMap(({ when }, i) =>
    when === undefined
      ? []
      : [
          {
            where: `${where}.allow[${i}].when`,
            want: 'must be left out on a selfSigned route: its callers write the claims of their tokens themselves',
            got: show(when.claim),
          },
        ],
  );
}

const TLS_FIELDS = ['caFile', 'clientCertificate', 'serverName'] as const;

function backendTlsProblems(where: string, { backend }: McpRoute): Problem[] {
  if (new URL(backend.url).protocol === 'https:') return [];
  return TLS_FIELDS.filter((field) => backend[field] !== undefined).map((field) => ({
    where: `${where}.backend.${field}`,
    want: 'must go with an https backend',
    got: show(backend.url),
  }));
}

function localAddressProblems(where: string, { backend }: McpRoute): Problem[] {
  const { localAddress, url, endpoints = [] } = backend;
  const elsewhere = [url, ...endpoints].find((asked) => !isLoopback(asked));
  if (localAddress === undefined || elsewhere === undefined) return [];
  return [
    {
      where: `${where}.backend.localAddress`,
      want: 'must go with a backend on loopback: nothing else can be reached from there',
      got: show(elsewhere),
      next: 'leave it out',
    },
  ];
}

function endpointProblems(where: string, { backend }: McpRoute): Problem[] {
  const { url, endpoints = [], credential } = backend;
  const { protocol } = new URL(url);
  const problems: Problem[] = [];
  endpoints.forEach((endpoint, i) => {
    const at = `${where}.backend.endpoints[${i}]`;
    if (new URL(endpoint).protocol !== protocol)
      problems.push({ where: at, want: `must be ${protocol}// as url is`, got: show(endpoint) });
    if (credential.kind === 'verifiedToken' && !isLoopback(endpoint))
      problems.push({
        where: at,
        want: 'must be in the pod where the credential is "verifiedToken"',
        got: show(endpoint),
      });
  });
  return [
    ...problems,
    ...repeatedProblems(endpoints, (endpoint, at, first) =>
      duplicate(`${where}.backend.endpoints[${at}]`, endpoint, `endpoints[${first}]`),
    ),
  ];
}

function redirectBaseProblems(where: string, { backend }: McpRoute): Problem[] {
  const [first, ...others] = backend.redirectBases ?? [];
  const elsewhere = others.find((base) => new URL(base).pathname !== new URL(first!).pathname);
  if (elsewhere === undefined) return [];
  return [
    {
      where: `${where}.backend.redirectBases`,
      want: 'must have the same path in each URL',
      got: `${show(first)} and ${show(elsewhere)}`,
    },
  ];
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
