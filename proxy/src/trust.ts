/** Everything that a gateway believes: keys, secrets, and who answers for opaque tokens; opened once, followed through rotations. */
import type { Clock } from './clock.js';
import type { Config, Route } from './config/index.js';
import { createIntrospector } from './keys/introspector.js';
import type { Introspector, KeySource, NonceKeys } from './keys/key-source.js';
import { openKeySources } from './keys/key-sources.js';
import { openNonceKeys } from './keys/nonce-keys.js';
import { openSecretFile, type SecretFile } from './keys/secret-file.js';

export interface Trust {
  /** By issuer name. */
  readonly keys: ReadonlyMap<string, KeySource>;
  readonly introspectors: ReadonlyMap<string, Introspector>;
  /** By file. */
  readonly nonceKeys: ReadonlyMap<string, NonceKeys>;
  readonly credentials: ReadonlyMap<string, SecretFile>;
  /** Names of what is missing; empty when all of it is there. */
  waitingFor(): string[];
  close(): void;
}

export interface Surroundings {
  readonly clock: Clock;
  /** What an operator should know that no request caused: a file that cannot be read, a key set that cannot be fetched. */
  readonly warn: (problem: string) => void;
}

export function openTrust(config: Config, { clock, warn }: Surroundings): Trust {
  const keys = openKeySources(config.issuers, { now: clock, onProblem: warn });
  const credentials = openCredentials(config, warn);
  const nonceKeys = openNonceRings(config.routes, clock, warn);
  const introspectors = openIntrospectors(config, credentials, clock, warn);
  return {
    keys,
    credentials,
    nonceKeys,
    introspectors,
    waitingFor: () => [
      ...[...keys].filter(([, source]) => !source.ready()).map(([name]) => `keys of issuer ${name}`),
      ...[...nonceKeys].filter(([, ring]) => ring.current() === undefined).map(([file]) => `nonce keys ${file}`),
    ],
    close() {
      for (const part of [...keys.values(), ...credentials.values(), ...nonceKeys.values()]) part.close();
    },
  };
}

/** Every file that holds a credential of ours, watched. */
function openCredentials({ routes, issuers }: Config, onProblem: (problem: string) => void): Map<string, SecretFile> {
  const files = routes.flatMap((r) => (r.kind === 'secrets' ? [r.backend.tokenFile] : r.backend.credential.kind === 'file' ? [r.backend.credential.file] : []));
  const secrets = issuers.flatMap(({ introspection }) => (introspection === undefined ? [] : [introspection.clientSecret.file]));
  return new Map([...new Set([...files, ...secrets])].map((file) => [file, openSecretFile(file, { onProblem })]));
}

/** One ring a file; its keys judge as long as the longest-lived nonces of the routes that use it. */
function openNonceRings(routes: readonly Route[], now: Clock, onProblem: (problem: string) => void): Map<string, NonceKeys> {
  const lifetimes = new Map<string, number>();
  for (const { auth } of routes) {
    if (!('nonce' in auth) || auth.nonce === undefined) continue;
    const { keys: { file }, lifetimeSeconds } = auth.nonce;
    lifetimes.set(file, Math.max(lifetimes.get(file) ?? 0, lifetimeSeconds));
  }
  return new Map([...lifetimes].map(([file, keepSeconds]) => [file, openNonceKeys(file, { now, keepSeconds, onProblem })]));
}

function openIntrospectors({ issuers }: Config, credentials: ReadonlyMap<string, SecretFile>, now: Clock, onProblem: (problem: string) => void): Map<string, Introspector> {
  return new Map(issuers.flatMap(({ name, introspection }): [string, Introspector][] => (introspection === undefined ? [] : [[name, createIntrospector(introspection, {
    now, secret: credentials.get(introspection.clientSecret.file)!, onProblem: (problem) => onProblem(`issuer ${name}: ${problem}`),
  })]])));
}
