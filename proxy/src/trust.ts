/**
 * Everything that a gateway believes: keys, secrets, and who answers for opaque tokens; opened once, followed
 * through rotations.
 */
import type { Clock } from './clock.js';
import type { Config, Route } from './config/index.js';
import { openEgress, type Egress } from './keys/egress-proxy.js';
import { createIntrospector } from './keys/introspector.js';
import type { Exchanger, Introspector, KeySource, NonceKeys } from './keys/key-source.js';
import { openKeySource } from './keys/open-key-source.js';
import { openNonceKeys } from './keys/nonce-keys.js';
import { openRootCertificates, type RootCertificates } from './keys/root-certificates.js';
import { openSecretFile, type SecretFile } from './keys/secret-file.js';
import { openTlsFiles, type TlsFiles } from './keys/tls-files.js';
import { createTokenExchange } from './keys/token-exchange.js';
import type { Acquire } from './resource-registry.js';

export interface Trust {
  /** By issuer name. */
  readonly keys: ReadonlyMap<string, KeySource>;
  readonly introspectors: ReadonlyMap<string, Introspector>;
  /** By route name: where the caller's token is exchanged. */
  readonly exchangers: ReadonlyMap<string, Exchanger>;
  /** By file. */
  readonly nonceKeys: ReadonlyMap<string, NonceKeys>;
  readonly credentials: ReadonlyMap<string, SecretFile>;
  /** Of ours, by the file of the certificate. */
  readonly clientCertificates: ReadonlyMap<string, TlsFiles>;
  /** Whom backends' certificates must come from, by file. */
  readonly roots: ReadonlyMap<string, RootCertificates>;
  /** When everybody else's end, by file: whoever reads one says what is wrong with it. */
  readonly rootsExpiries: ReadonlyMap<string, Pick<RootCertificates, 'expiry'>>;
  /** Names of what is missing; empty when all of it is there. */
  waitingFor(): string[];
}

/** What is read again while the gateway runs. */
export type Reloaded = 'config' | 'jwks' | 'nonce_keys' | 'credential' | 'certificate' | 'roots';

export interface Dependencies {
  readonly clock: Clock;
  /** Of a test that must not wait until its gateway is old: since when a memory store knows of every proof. */
  readonly remembersSince?: number;
  /**
   * What an operator should know that no request caused: a file that cannot be read, a key set that cannot be
   * fetched.
   */
  readonly warn: (problem: string) => void;
  /** What `warn` told of is over: `keys of issuer NAME`, `replay store URL`, `backend ORIGIN` … works again. */
  readonly recovered?: (what: string) => void;
  /** Something that was in use is replaced: `keys of issuer NAME`, `certificate FILE` …. @param live by what */
  readonly replaced?: (what: string, live: string) => void;
  /**
   * Something was read again: it is in use, or it was no good and the one before stays.
   * @param name of its file, or of its issuer
   */
  readonly reloaded?: (what: Reloaded, name: string, good: boolean) => void;
}

const NOUN: Readonly<Record<Reloaded, string>> = {
  config: 'config',
  jwks: 'keys of issuer',
  nonce_keys: 'nonce keys',
  credential: 'credential',
  certificate: 'certificate',
  roots: 'CA certificates',
};

/** How a part tells of what it read. */
export function reloadEvents(
  { warn, reloaded, recovered, replaced }: Dependencies,
  what: Reloaded,
  name: string,
): { readonly onProblem: (problem: string) => void; readonly onLoaded: (live: string | undefined) => void } {
  const subject = `${NOUN[what]} ${name}`;
  let isFailing = false;
  let isFirst = true;
  return {
    onProblem(problem) {
      isFailing = true;
      warn(problem);
      reloaded?.(what, name, false);
    },
    onLoaded(live) {
      if (isFailing) recovered?.(subject);
      // The same may only be there again.
      if (!isFirst && live !== undefined) replaced?.(subject, live);
      isFailing = isFirst = false;
      reloaded?.(what, name, true);
    },
  };
}

/** When the certificates in use end, each with its file. @param shown what clients see */
export const certificateExpiry = (
  { clientCertificates, roots, rootsExpiries }: Trust,
  shown: TlsFiles | undefined,
): (readonly [file: string, at: number])[] =>
  [
    ...(shown === undefined ? [] : [shown]),
    ...clientCertificates.values(),
    ...roots.values(),
    ...rootsExpiries.values(),
  ].flatMap((files) => files.expiry());

export function openTrust(config: Config, acquire: Acquire, dependencies: Dependencies): Trust {
  const nonceKeys = openNonceRings(config, acquire, dependencies);
  const credentials = mapOf(credentialFiles(config), (file) => [
    file,
    acquire(['credential', file], () => openSecretFile(file, reloadEvents(dependencies, 'credential', file))),
  ]);
  const egress = egressOf(config, acquire, credentials);
  const keys = openIssuerKeys(config, acquire, dependencies, egress);
  return {
    keys,
    nonceKeys,
    credentials,
    clientCertificates: openClientCertificates(config, acquire, dependencies),
    roots: openRoots(config, acquire, dependencies),
    rootsExpiries: openRootsExpiries(config, acquire, dependencies),
    introspectors: openIntrospectors(config, acquire, dependencies, { credentials, egress }),
    exchangers: openExchangers(config, acquire, dependencies, { credentials, egress }),
    waitingFor: () => [
      ...[...keys].filter(([, source]) => !source.ready()).map(([name]) => `keys of issuer ${name}`),
      ...[...nonceKeys]
        .filter(([, ring]) => ring.current() === undefined)
        .map(([file]) => `nonce keys ${file}`),
    ],
  };
}

/** A map of what is made of each item; `undefined`: nothing is. */
function mapOf<Item, Value>(
  items: Iterable<Item>,
  entryOf: (item: Item) => readonly [string, Value] | undefined,
): Map<string, Value> {
  const map = new Map<string, Value>();
  for (const item of items) {
    const entry = entryOf(item);
    if (entry !== undefined) map.set(...entry);
  }
  return map;
}

function egressOf(
  { egressProxy }: Config,
  acquire: Acquire,
  files: Trust['credentials'],
): Egress | undefined {
  if (egressProxy === undefined) return undefined;
  const { credentials } = egressProxy;
  const value = () => (credentials === undefined ? undefined : files.get(credentials.file)!.value());
  return acquire(['egress proxy', egressProxy], () => openEgress(egressProxy, { credentials: value }));
}

const openIssuerKeys = (
  { issuers }: Config,
  acquire: Acquire,
  dependencies: Dependencies,
  egress: Egress | undefined,
): Trust['keys'] =>
  mapOf(issuers, (issuer) => [
    issuer.name,
    acquire(['keys', issuer.name, issuer.issuer, issuer.jwks], () =>
      openKeySource(issuer, {
        now: dependencies.clock,
        egress,
        onIgnored: dependencies.warn,
        ...reloadEvents(dependencies, 'jwks', issuer.name),
      }),
    ),
  ]);

const openNonceRings = (
  { routes }: Config,
  acquire: Acquire,
  dependencies: Dependencies,
): Trust['nonceKeys'] =>
  mapOf(nonceFiles(routes), ([file, keepSeconds]) => [
    file,
    acquire(['nonce keys', file, keepSeconds], () =>
      openNonceKeys(file, {
        now: dependencies.clock,
        keepSeconds,
        ...reloadEvents(dependencies, 'nonce_keys', file),
      }),
    ),
  ]);

const openClientCertificates = (
  { routes }: Config,
  acquire: Acquire,
  dependencies: Dependencies,
): Trust['clientCertificates'] =>
  mapOf(routes, (route) => {
    const pair = route.kind === 'mcp' ? route.backend.clientCertificate : undefined;
    if (pair === undefined) return undefined;
    const open = () => openTlsFiles(pair, reloadEvents(dependencies, 'certificate', pair.certFile));
    return [pair.certFile, acquire(['client certificate', pair], open)];
  });

const openRoots = ({ routes }: Config, acquire: Acquire, dependencies: Dependencies): Trust['roots'] =>
  mapOf(routes, ({ backend: { caFile } }) => {
    if (caFile === undefined) return undefined;
    const open = () =>
      openRootCertificates(caFile, {
        ...reloadEvents(dependencies, 'roots', caFile),
        clock: dependencies.clock,
      });
    return [caFile, acquire(['roots', caFile], open)];
  });

/** Bundles that nobody here follows: an authorization server's, Redis's, the collector's, the egress proxy's. */
function openRootsExpiries(
  config: Config,
  acquire: Acquire,
  { clock }: Dependencies,
): Trust['rootsExpiries'] {
  const { issuers, routes, replay, tracing, egressProxy } = config;
  const ofBackends = new Set(routes.map(({ backend }) => backend.caFile));
  const open = (file: string, isFollowed: boolean) =>
    acquire(['roots expiry', file, isFollowed], () =>
      openRootCertificates(file, { clock, isFollowed, onProblem: () => {} }),
    );
  const atStart = [
    replay.store === 'redis' ? replay.caFile : undefined,
    tracing?.caFile,
    egressProxy?.caFile,
  ];
  const eachTime = [
    ...issuers.flatMap(({ jwks, introspection }) => [
      jwks !== undefined && 'caFile' in jwks ? jwks.caFile : undefined,
      introspection?.caFile,
    ]),
    ...routes.map(({ backend }) =>
      'credential' in backend && backend.credential.kind === 'exchange'
        ? backend.credential.caFile
        : undefined,
    ),
  ];
  const opened = [
    ...eachTime.map((file) => [file, true] as const),
    ...atStart.map((file) => [file, false] as const),
  ];
  return mapOf(opened, ([file, isFollowed]) =>
    file === undefined || ofBackends.has(file) ? undefined : [file, open(file, isFollowed)],
  );
}

/** What a question to an authorization server takes. */
interface Asking {
  readonly credentials: Trust['credentials'];
  readonly egress: Egress | undefined;
}

const openIntrospectors = (
  { issuers }: Config,
  acquire: Acquire,
  { clock: now, warn }: Dependencies,
  { credentials, egress }: Asking,
): Trust['introspectors'] =>
  mapOf(issuers, ({ name, introspection }) => {
    if (introspection === undefined) return undefined;
    const secret = credentials.get(introspection.clientSecret.file)!;
    const onProblem = (problem: string) => warn(`issuer ${name}: ${problem}`);
    const open = () => createIntrospector(introspection, { now, secret, egress, onProblem });
    return [name, acquire(['introspector', name, introspection], open)];
  });

const openExchangers = (
  { routes }: Config,
  acquire: Acquire,
  { clock: now, warn: onProblem }: Dependencies,
  { credentials, egress }: Asking,
): Trust['exchangers'] =>
  mapOf(routes, ({ name, backend }) => {
    if (!('credential' in backend) || backend.credential.kind !== 'exchange') return undefined;
    const exchange = backend.credential;
    const secret = credentials.get(exchange.clientSecret.file)!;
    const open = () => createTokenExchange(exchange, { now, secret, egress, onProblem });
    return [name, acquire(['exchange', name, exchange], open)];
  });

/** Every file that holds a credential of ours. */
function credentialFiles({ routes, issuers, egressProxy }: Config): Set<string> {
  const files = new Set<string>();
  for (const route of routes) {
    const file = credentialFileOf(route);
    if (file !== undefined) files.add(file);
  }
  for (const { introspection } of issuers)
    if (introspection !== undefined) files.add(introspection.clientSecret.file);
  if (egressProxy?.credentials !== undefined) files.add(egressProxy.credentials.file);
  return files;
}

function credentialFileOf(route: Route): string | undefined {
  if (route.kind === 'secrets') return route.backend.tokenFile;
  const { credential } = route.backend;
  switch (credential.kind) {
    case 'file':
      return credential.file;
    case 'exchange':
      return credential.clientSecret.file;
    default:
      return undefined;
  }
}

/** One ring a file; its keys verify as long as the longest-lived nonces of the routes that use it. */
function nonceFiles(routes: readonly Route[]): Map<string, number> {
  const lifetimes = new Map<string, number>();
  for (const { auth } of routes) {
    if (!('nonce' in auth) || auth.nonce === undefined) continue;
    const {
      keys: { file },
      lifetimeSeconds,
    } = auth.nonce;
    lifetimes.set(file, Math.max(lifetimes.get(file) ?? 0, lifetimeSeconds));
  }
  return lifetimes;
}
