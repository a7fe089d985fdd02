import { holdsEverybody } from './cidr.js';
import type { Config, Issuer, Route, SecretsRoute } from './schema.js';

/** A fault of a config: where it stands, what stands there, what should, and what to do. */
export interface Problem {
  readonly where: string;
  readonly want: string;
  readonly got?: string;
  readonly next?: string;
}

/** Paths the gateway answers itself, before any route. */
const RESERVED = ['/healthz', '/.well-known'];

/** Of a config that may have faults: the parts that have the right shape, each by itself; a Config is one with all of them. */
export type Intact = {
  readonly [K in Exclude<keyof Config, 'issuers' | 'routes'>]?: Config[K] | undefined;
} & {
  /** In their places; `undefined` for one that is not intact. */
  readonly issuers: readonly (Issuer | undefined)[];
  readonly routes: readonly (Route | undefined)[];
};

/** What one field cannot say alone: rules between fields, as far as those are intact. */
export function relationProblems(config: Intact): Problem[] {
  return [
    ...replayProblems(config),
    ...issuerProblems(config),
    ...edgeProblems(config),
    ...tracingProblems(config),
    ...routeProblems(config),
  ];
}

function replayProblems({ replay, replicas = 1 }: Intact): Problem[] {
  if (replay?.store !== 'memory' || replicas === 1) return [];
  return [
    {
      where: 'replay.store',
      want: `must be shared by all ${replicas} replicas, or each of them accepts the same proof once`,
      got: '"memory"',
      next: 'use the redis store, or one replica',
    },
  ];
}

function issuerProblems({ issuers }: Intact): Problem[] {
  return [
    ...repeated(issuers.map((i) => i?.name)).map(([at, first]) =>
      duplicate(`issuers[${at}].name`, issuers[at]!.name, `issuers[${first}]`),
    ),
    ...repeated(issuers.map((i) => i?.issuer)).map(([at, first]) =>
      duplicate(`issuers[${at}].issuer`, issuers[at]!.issuer, `issuers[${first}]`),
    ),
    ...issuers.flatMap((issuer, i): Problem[] =>
      issuer !== undefined && issuer.jwks === undefined && issuer.introspection === undefined
        ? [
            {
              where: `issuers[${i}].jwks`,
              want: 'is required where there is no introspection: nothing else says which tokens are good',
              got: 'nothing',
            },
          ]
        : [],
    ),
  ];
}

/** What the gateway believes of the peers in front of it. */
function edgeProblems({ originFrom, trustedPeers, listen, routes }: Intact): Problem[] {
  const problems: Problem[] = [];
  if (originFrom === 'forwarded' && trustedPeers?.length === 0) {
    problems.push({
      where: 'originFrom',
      want: "must go with trustedPeers: from anybody else X-Forwarded-Host is the client's own word",
      got: show(originFrom),
      next: 'list the ranges of the ingress',
    });
  }
  if (trustedPeers !== undefined && holdsEverybody(trustedPeers)) {
    problems.push({
      where: 'trustedPeers',
      want: 'must not be all addresses together: whoever connects would say who the client is',
      got: show(trustedPeers),
      next: 'list the ranges of the ingress alone',
    });
  }
  routes.forEach((route, i) => {
    if (route?.auth.profile !== 'mtls') return;
    const { certificateFrom } = route.auth;
    const where = `routes[${i}].auth.certificateFrom`;
    if (certificateFrom === 'tls' && listen !== undefined && listen.tls === undefined)
      problems.push({
        where,
        want: 'must go with listen.tls, or no connection has a certificate',
        got: '"tls"',
        next: 'set listen.tls, or use "header" behind a trusted peer',
      });
    if (certificateFrom === 'header' && trustedPeers?.length === 0)
      problems.push({
        where,
        want: "must go with trustedPeers: from anybody else Client-Cert is the client's own word",
        got: '"header"',
        next: 'list the ranges of the proxy that ends TLS',
      });
  });
  return problems;
}

function tracingProblems({ tracing }: Intact): Problem[] {
  if (tracing?.caFile === undefined || tracing.url.startsWith('https:')) return [];
  return [{ where: 'tracing.caFile', want: 'must go with an https url', got: show(tracing.url) }];
}

function routeProblems({ routes, issuers, listen, admin, replay }: Intact): Problem[] {
  /** Absent: one that is not intact may have any name. */
  const known = issuers.includes(undefined) || issuers.length === 0 ? undefined : issuers.map((i) => i!.name);
  const problems: Problem[] = [
    ...repeated(routes.map((r) => r?.name)).map(([at, first]) =>
      duplicate(`routes[${at}].name`, routes[at]!.name, `routes[${first}]`),
    ),
    // In more than case: a backend that ignores it reads both as one, and each would be judged by its own rules.
    ...repeated(routes.map((r) => r?.pathPrefix.toLowerCase())).map(([at, first]): Problem => ({
      where: `routes[${at}].pathPrefix`,
      want: `must differ from that of routes[${first}] ("${routes[first]!.name}"), which shadows it`,
      got: show(routes[at]!.pathPrefix),
      next: 'give each route its own prefix; a longer prefix wins over a shorter one',
    })),
  ];
  if (listen !== undefined && listen.port === admin?.port) {
    problems.push({
      where: 'admin.port',
      want: 'must differ from listen.port: metrics are never on the traffic port',
      got: show(admin.port),
    });
  }
  routes.forEach((route, at) => {
    if (route === undefined) return;
    const where = `routes[${at}]`;
    for (const reserved of RESERVED) {
      if (route.pathPrefix === reserved || route.pathPrefix.startsWith(`${reserved}/`)) {
        problems.push({
          where: `${where}.pathPrefix`,
          want: `must not lie under ${reserved}, which the gateway answers itself`,
          got: show(route.pathPrefix),
        });
      }
    }
    route.auth.issuers.forEach((name, i) => {
      if (known !== undefined && !known.includes(name)) {
        problems.push({
          where: `${where}.auth.issuers[${i}]`,
          want: 'must name an entry of issuers',
          got: show(name),
          next: `known: ${known.map(show).join(', ')}`,
        });
      }
    });
    const asked = issuers.filter(
      (issuer): issuer is Issuer =>
        issuer?.introspection !== undefined && route.auth.issuers.includes(issuer.name),
    );
    if (asked.length > 1) {
      problems.push({
        where: `${where}.auth.issuers`,
        want: 'must name at most one issuer with introspection: an opaque token does not say whose it is',
        got: show(asked.map((i) => i.name)),
      });
    }
    if (route.auth.profile === 'selfSigned' && asked.length > 0) {
      problems.push({
        where: `${where}.auth.issuers`,
        want: 'must name issuers with jwks only: a self-signed token is never introspected',
        got: show(asked.map((i) => i.name)),
      });
    }
    if (route.rateLimit?.shared === true) {
      const { maxTokens, tokensPerFill, fillIntervalSeconds } = route.rateLimit;
      const fillSeconds = (maxTokens / tokensPerFill) * fillIntervalSeconds;
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
    }
    if (route.kind === 'secrets') problems.push(...secretsProblems(where, route, replay));
    if (route.kind === 'mcp' && route.backend.credential.kind === 'exchange') {
      const { audience, resource } = route.backend.credential;
      const at = `${where}.backend.credential`;
      if (audience === undefined && resource === undefined)
        problems.push({
          where: at,
          want: 'must name the backend by audience or resource, or the token it gets is good anywhere',
          got: 'neither',
        });
      if (route.auth.mode !== 'strict')
        problems.push({
          where: `${where}.auth.mode`,
          want: 'must be "strict" where tokens are exchanged: who has none has nothing to exchange',
          got: show(route.auth.mode),
        });
      if (route.auth.profile === 'selfSigned')
        problems.push({
          where: `${at}.kind`,
          want: 'must not be "exchange" on a selfSigned route: its tokens are no authorization server\'s',
          got: '"exchange"',
        });
    }
    if (
      route.kind === 'mcp' &&
      route.backend.credential.kind === 'verifiedToken' &&
      !isLoopback(route.backend.url)
    ) {
      problems.push({
        where: `${where}.backend.credential.kind`,
        want: 'must not be "verifiedToken" for a backend outside the pod: MCP forbids passing the client\'s token on',
        got: show(route.backend.url),
        next: 'inject a credential of the gateway with { kind: "file" }',
      });
    }
    if (route.kind === 'mcp') {
      const { url, endpoints = [], credential } = route.backend;
      const { protocol } = new URL(url);
      if (protocol !== 'https:') {
        for (const key of ['caFile', 'clientCertificate', 'serverName'] as const) {
          if (route.backend[key] !== undefined)
            problems.push({
              where: `${where}.backend.${key}`,
              want: 'must go with an https backend',
              got: show(url),
            });
        }
      }
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
      repeated(endpoints).forEach(([i, first]) =>
        problems.push(duplicate(`${where}.backend.endpoints[${i}]`, endpoints[i]!, `endpoints[${first}]`)),
      );
    }
  });
  return problems;
}

/** Secrets are read by proven callers only: whatever an MCP route may give up, a secrets route may not (decision 7). */
function secretsProblems(
  where: string,
  { auth, backend }: SecretsRoute,
  replay: Intact['replay'],
): Problem[] {
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
  if (replay?.store === 'redis' && replay.onStoreFailure === 'allow')
    problems.push({
      where: 'replay.onStoreFailure',
      want: 'must not be "allow" beside a secrets route: a stolen proof would read Secrets while Redis is away',
      got: '"allow"',
      next: 'use "deny", or give the secrets route a gateway of its own',
    });
  const { secretNames, secretKeys } = backend;
  for (const name of Object.keys(secretKeys).filter((n) => !secretNames.includes(n)))
    problems.push({
      where: `${where}.backend.secretKeys`,
      want: 'must name Secrets of secretNames',
      got: show(name),
      next: `known: ${secretNames.map(show).join(', ')}`,
    });
  return problems;
}

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** [index, index of its first occurrence] of every value that stands in the list before. */
function repeated(values: readonly (string | undefined)[]): [number, number][] {
  return values.flatMap((value, at): [number, number][] => {
    const first = values.indexOf(value);
    return value === undefined || first === at ? [] : [[at, first]];
  });
}

const duplicate = (where: string, got: string, other: string): Problem => ({
  where,
  want: `must be unique, ${other} has it too`,
  got: show(got),
});

/** A value as it would stand in the file, cut short so that a wrong file cannot flood the log. */
export function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
