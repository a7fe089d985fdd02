/** Everything that a gateway believes: keys, secrets, and who answers for opaque tokens; opened once, followed through rotations. */
import type { Clock } from './clock.js';
import type { Config, Route } from './config/index.js';
import { createIntrospector } from './keys/introspector.js';
import type { Exchanger, Introspector, KeySource, NonceKeys } from './keys/key-source.js';
import { openKeySource } from './keys/open-key-source.js';
import { openNonceKeys } from './keys/nonce-keys.js';
import { openRootCertificates, type RootCertificates } from './keys/root-certificates.js';
import { openSecretFile, type SecretFile } from './keys/secret-file.js';
import { openTlsFiles, type TlsFiles } from './keys/tls-files.js';
import { createTokenExchange } from './keys/token-exchange.js';
import type { Take } from './parts.js';

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
  /** Names of what is missing; empty when all of it is there. */
  waitingFor(): string[];
}

/** What is read again while the gateway runs. */
export type Reloaded = 'config' | 'jwks' | 'nonce_keys' | 'credential' | 'certificate' | 'roots';

export interface Surroundings {
  readonly clock: Clock;
  /** Of a test that must not wait until its gateway is old: since when a memory store knows of every proof. */
  readonly remembersSince?: number;
  /** What an operator should know that no request caused: a file that cannot be read, a key set that cannot be fetched. */
  readonly warn: (problem: string) => void;
  /** Something was read again: it is in use, or it was no good and the one before stays. */
  readonly reloaded?: (what: Reloaded, good: boolean) => void;
}

/** How a part tells of what it read. */
export const telling = ({ warn, reloaded }: Surroundings, what: Reloaded) => ({
  onProblem: (problem: string) => {
    warn(problem);
    reloaded?.(what, false);
  },
  onLoaded: () => reloaded?.(what, true),
});

export function openTrust(config: Config, take: Take, surroundings: Surroundings): Trust {
  const { clock: now } = surroundings;
  const keys = new Map(
    config.issuers.map((issuer) => [
      issuer.name,
      take(['keys', issuer.name, issuer.jwks], () =>
        openKeySource(issuer, { now, ...telling(surroundings, 'jwks') }),
      ),
    ]),
  );
  const credentials = new Map(
    credentialFiles(config).map((file) => [
      file,
      take(['credential', file], () => openSecretFile(file, telling(surroundings, 'credential'))),
    ]),
  );
  const clientCertificates = new Map(
    config.routes.flatMap((route) => {
      const pair = route.kind === 'mcp' ? route.backend.clientCertificate : undefined;
      return pair === undefined
        ? []
        : [
            [
              pair.certFile,
              take(['client certificate', pair], () =>
                openTlsFiles(pair, telling(surroundings, 'certificate')),
              ),
            ] as const,
          ];
    }),
  );
  const roots = new Map(
    config.routes.flatMap(({ backend: { caFile } }) =>
      caFile === undefined
        ? []
        : [
            [
              caFile,
              take(['roots', caFile], () => openRootCertificates(caFile, telling(surroundings, 'roots'))),
            ] as const,
          ],
    ),
  );
  const nonceKeys = new Map(
    [...nonceFiles(config.routes)].map(([file, keepSeconds]) => [
      file,
      take(['nonce keys', file, keepSeconds], () =>
        openNonceKeys(file, { now, keepSeconds, ...telling(surroundings, 'nonce_keys') }),
      ),
    ]),
  );
  const introspectors = new Map(
    config.issuers.flatMap(({ name, introspection }): [string, Introspector][] =>
      introspection === undefined
        ? []
        : [
            [
              name,
              take(['introspector', name, introspection], () =>
                createIntrospector(introspection, {
                  now,
                  secret: credentials.get(introspection.clientSecret.file)!,
                  onProblem: (problem) => surroundings.warn(`issuer ${name}: ${problem}`),
                }),
              ),
            ],
          ],
    ),
  );
  const exchangers = new Map(
    config.routes.flatMap(({ name, backend }): [string, Exchanger][] => {
      const exchange =
        'credential' in backend && backend.credential.kind === 'exchange' ? backend.credential : undefined;
      return exchange === undefined
        ? []
        : [
            [
              name,
              take(['exchange', name, exchange], () =>
                createTokenExchange(exchange, {
                  now,
                  secret: credentials.get(exchange.clientSecret.file)!,
                  onProblem: surroundings.warn,
                }),
              ),
            ],
          ];
    }),
  );
  return {
    keys,
    exchangers,
    credentials,
    clientCertificates,
    roots,
    nonceKeys,
    introspectors,
    waitingFor: () => [
      ...[...keys].filter(([, source]) => !source.ready()).map(([name]) => `keys of issuer ${name}`),
      ...[...nonceKeys]
        .filter(([, ring]) => ring.current() === undefined)
        .map(([file]) => `nonce keys ${file}`),
    ],
  };
}

/** Every file that holds a credential of ours. */
function credentialFiles({ routes, issuers }: Config): string[] {
  const files = routes.flatMap((r) =>
    r.kind === 'secrets'
      ? [r.backend.tokenFile]
      : r.backend.credential.kind === 'file'
        ? [r.backend.credential.file]
        : r.backend.credential.kind === 'exchange'
          ? [r.backend.credential.clientSecret.file]
          : [],
  );
  const secrets = issuers.flatMap(({ introspection }) =>
    introspection === undefined ? [] : [introspection.clientSecret.file],
  );
  return [...new Set([...files, ...secrets])];
}

/** One ring a file; its keys judge as long as the longest-lived nonces of the routes that use it. */
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
