/** What one thread that serves says of itself; observe/status.ts makes one status of all of them. */
import { getHeapStatistics } from 'node:v8';
import { weakenings, type Config } from './config/index.js';
import type { Generation, ProcessResources } from './generation.js';
import type { KeySource } from './keys/key-source.js';
import { shownKid } from './keys/parse-jwks.js';
import type { TlsFiles } from './keys/tls-files.js';
import { timeText, type EdgeStatus, type IssuerStatus, type ReplayStatus } from './observe/status.js';
import type { ReplayStore } from './replay/replay-store.js';
import type { EdgeState } from './reload.js';
import { certificateExpiry, type Reloaded } from './trust.js';

/** @param certificate towards clients; absent: no TLS */
export function edgeStatus(
  state: EdgeState,
  resources: ProcessResources,
  certificate: TlsFiles | undefined,
): EdgeStatus {
  const { generation } = state;
  const { config, trust } = generation;
  const { metrics, openAnswers, store } = resources;
  return {
    waitingFor: waitingFor(state, resources),
    config: { hash: generation.hash, loadedAt: timeText(generation.openedAt) },
    notTaken: metrics.notTaken(followed(generation)),
    weakenings: weakenings(config),
    issuers: config.issuers.flatMap(({ name, issuer }) => {
      const keys = trust.keys.get(name);
      return keys === undefined ? [] : [issuerStatus(name, issuer, keys)];
    }),
    certificates: certificateExpiry(trust, certificate).map(([file, at]) => ({
      file,
      expiresAt: timeText(at),
    })),
    replay: replayStatus(config, store),
    routes: config.routes.map(({ name, kind, pathPrefix, auth: { profile, mode } }) => ({
      name,
      kind,
      pathPrefix,
      profile,
      mode,
      ...metrics.countsOf(name),
    })),
    noRoute: metrics.countsOf(undefined),
    openStreams: openAnswers.streams(),
    heapUsedBytes: getHeapStatistics().used_heap_size,
  };
}

function issuerStatus(name: string, issuer: string, keys: KeySource): IssuerStatus {
  const live = keys.find(undefined);
  const kids = live.flatMap(({ kid }) => (kid === undefined ? [] : [shownKid(kid)]));
  const age = keys.ready() ? { ageSeconds: Math.max(0, Math.round(keys.ageSeconds())) } : {};
  return { name, issuer, keys: live.length, kids, ...age };
}

function replayStatus({ replay }: Config, store: ReplayStore): ReplayStatus {
  const { reachable, remembersSince } = store.state();
  const entries = store.size?.();
  return {
    store: replay.store,
    // The schema admits no credentials in it; only host and port are told all the same.
    ...(replay.store === 'redis' ? { server: new URL(replay.url).host } : {}),
    reachable,
    ...(remembersSince === undefined ? {} : { remembersSince: timeText(remembersSince) }),
    ...(entries === undefined ? {} : { entries }),
  };
}

/** Names of what is not ready, empty when it can serve. */
export function waitingFor(
  { generation, stopping }: EdgeState,
  { store, auditSink }: ProcessResources,
): string[] {
  return [
    ...generation.trust.waitingFor(),
    ...(store.ready() ? [] : ['replay store']),
    ...(auditSink.behind() ? ['audit log'] : []),
    ...(stopping ? ['shutdown'] : []),
  ];
}

/** Names of what can be read again, of each kind. */
export function followed({ config, trust }: Generation): Readonly<Record<Reloaded, readonly string[]>> {
  const certFile = config.listen.tls?.certFile;
  const tracingFile = config.tracing?.authorization?.file;
  return {
    config: ['config'],
    jwks: [...trust.keys.keys()],
    nonce_keys: [...trust.nonceKeys.keys()],
    credential: [...trust.credentials.keys(), ...(tracingFile === undefined ? [] : [tracingFile])],
    certificate: [...trust.clientCertificates.keys(), ...(certFile === undefined ? [] : [certFile])],
    roots: [...trust.roots.keys()],
  };
}
