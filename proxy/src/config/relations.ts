import { holdsEverybody } from './cidr.js';
import { httpUrl } from './fields.js';
import { duplicate, repeatedProblems, show, type Problem } from './problem.js';
import { routeProblems } from './route-relations.js';
import type { Config, Issuer, Route } from './schema.js';

/**
 * Of a config that may have faults: the parts that have the right shape, each by itself; a Config is one with
 * all of them.
 */
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
    ...certificateProblems(config),
    ...tracingProblems(config),
    ...egressProblems(config),
    ...routeNameProblems(config),
    ...portProblems(config),
    ...config.routes.flatMap((route, i) =>
      route === undefined ? [] : routeProblems(`routes[${i}]`, route, config),
    ),
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
    ...repeatedProblems(
      issuers.map((issuer) => issuer?.name),
      (name, at, first) => duplicate(`issuers[${at}].name`, name, `issuers[${first}]`),
    ),
    ...repeatedProblems(
      issuers.map((issuer) => issuer?.issuer),
      (issuer, at, first) => duplicate(`issuers[${at}].issuer`, issuer, `issuers[${first}]`),
    ),
    ...issuers.flatMap((issuer, i) => [
      ...keySourceProblems(`issuers[${i}]`, issuer),
      ...legacyTypProblems(`issuers[${i}]`, issuer),
      ...discoveryProblems(`issuers[${i}]`, issuer),
    ]),
  ];
}

function keySourceProblems(where: string, issuer: Issuer | undefined): Problem[] {
  if (issuer === undefined || issuer.jwks !== undefined) return [];
  if (issuer.introspection?.always)
    return [
      {
        where: `${where}.introspection.always`,
        want: 'must go with jwks: a JWT is verified before it is asked about',
        got: 'true',
        next: 'give the issuer jwks, or leave always out: its tokens are asked about that are not JWTs',
      },
    ];
  if (issuer.introspection !== undefined) return [];
  return [
    {
      where: `${where}.jwks`,
      want: 'is required where there is no introspection: nothing else says which tokens are good',
      got: 'nothing',
    },
  ];
}

/** RFC 8414 2: its metadata is where its name says. */
function discoveryProblems(where: string, issuer: Issuer | undefined): Problem[] {
  if (issuer?.jwks === undefined || !('discover' in issuer.jwks)) return [];
  if (httpUrl.safeParse(issuer.issuer).success) return [];
  return [
    {
      where: `${where}.issuer`,
      want: 'must be an http(s) URL without credentials, query or fragment where jwks has discover',
      got: show(issuer.issuer),
      next: 'give jwks a url',
    },
  ];
}

function legacyTypProblems(where: string, issuer: Issuer | undefined): Problem[] {
  if (issuer === undefined || !issuer.legacyTyp || issuer.preset === 'generic') return [];
  return [
    {
      where: `${where}.legacyTyp`,
      want: `must not go with preset ${show(issuer.preset)}, which says which typ its tokens have`,
      got: 'true',
      next: 'leave legacyTyp out',
    },
  ];
}

/** What the gateway believes of the peers in front of it. */
function edgeProblems({ originFrom, forwardedHeader, trustedPeers }: Intact): Problem[] {
  const problems: Problem[] = [];
  if (originFrom === 'forwarded' && trustedPeers?.length === 0) {
    problems.push({
      where: 'originFrom',
      want: "must go with trustedPeers: from anybody else X-Forwarded-Host is the client's own word",
      got: show(originFrom),
      next: 'list the ranges of the ingress',
    });
  }
  if (forwardedHeader === 'forwarded' && trustedPeers?.length === 0) {
    problems.push({
      where: 'forwardedHeader',
      want: "must go with trustedPeers: from anybody else Forwarded is the client's own word",
      got: show(forwardedHeader),
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
  return problems;
}

/** Where the certificates of an mTLS route come from. */
function certificateProblems({ trustedPeers, listen, routes }: Intact): Problem[] {
  const problems: Problem[] = [];
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
    if (certificateFrom !== 'tls' && trustedPeers?.length === 0)
      problems.push({
        where,
        want: "must go with trustedPeers: from anybody else the field is the client's own word",
        got: show(certificateFrom),
        next: 'list the ranges of the proxy that ends TLS',
      });
  });
  return problems;
}

function tracingProblems({ tracing }: Intact): Problem[] {
  if (tracing?.caFile === undefined || tracing.url.startsWith('https:')) return [];
  return [{ where: 'tracing.caFile', want: 'must go with an https url', got: show(tracing.url) }];
}

function egressProblems({ egressProxy }: Intact): Problem[] {
  if (egressProxy?.caFile === undefined || egressProxy.url.startsWith('https:')) return [];
  return [{ where: 'egressProxy.caFile', want: 'must go with an https url', got: show(egressProxy.url) }];
}

function portProblems({ listen, admin }: Intact): Problem[] {
  if (listen === undefined || listen.port !== admin?.port) return [];
  return [
    {
      where: 'admin.port',
      want: 'must differ from listen.port: metrics are never on the traffic port',
      got: show(admin.port),
    },
  ];
}

function routeNameProblems({ routes }: Intact): Problem[] {
  return [
    ...repeatedProblems(
      routes.map((route) => route?.name),
      (name, at, first) => duplicate(`routes[${at}].name`, name, `routes[${first}]`),
    ),
    // In more than case: a backend that ignores it reads both as one, and each would be checked by its own rules.
    ...repeatedProblems(
      routes.map((route) => route?.pathPrefix.toLowerCase()),
      (_, at, first) => ({
        where: `routes[${at}].pathPrefix`,
        want: `must differ from that of routes[${first}] ("${routes[first]!.name}"), which shadows it`,
        got: show(routes[at]!.pathPrefix),
        next: 'give each route its own prefix; a longer prefix wins over a shorter one',
      }),
    ),
  ];
}
