/**
 * Composes the rooms into a gateway: open.ts, then serve.ts for each request, reload.ts for another config,
 * stop.ts.
 */
import type { Server as TlsServer } from 'node:tls';
import { createAdminServer } from './admin/admin-server.js';
import type { Config } from './config/index.js';
import { asksForCertificate, openGeneration, type ProcessResources } from './generation.js';
import { createBodyPool } from './http/body-pool.js';
import { createEdgeServer } from './http/edge-server.js';
import { announceClose, type ClientAnswer, type ClientMessage } from './http/exchange.js';
import { closed, listen } from './http/listen.js';
import { openTlsFiles } from './keys/tls-files.js';
import type { Metrics } from './observe/metrics.js';
import { counted, openProcessResources, type ThreadContext } from './open.js';
import { createResourceRegistry } from './resource-registry.js';
import { oneAtATime } from './one-at-a-time.js';
import { reload, type EdgeState } from './reload.js';
import { answerHealth, serve } from './serve.js';
import { edgeStatus, followed, waitingFor } from './status.js';
import { drain } from './stop.js';
import { gatewayStatus, type EdgeStatus } from './observe/status.js';
import { certificateExpiry, reloadEvents, type Dependencies } from './trust.js';

/** Where requests are served: all of a gateway but its admin port. */
export interface Edge {
  readonly port: number;
  readonly metrics: Metrics;
  /** Names of what is not ready, empty when it can serve. */
  waitingFor(): readonly string[];
  /** What this thread knows, for who operates it. */
  status(): EdgeStatus;
  /**
   * Goes on with another config: new requests by the new one, those under way by theirs, open streams only while
   * the rules that let them in are the same. Resolves with why not, if not: it changes what is read at the start,
   * or its keys do not come; nothing has changed then.
   */
  reload(config: Config): Promise<readonly string[]>;
  /**
   * Reads again what is mounted, now rather than within a second; a key set at a URL as often as its cooldown
   * allows.
   */
  refresh(): void;
  /** A config that could not even be read, or checked: it is counted. */
  refusedConfig(): void;
  /** Not ready, no new connections; resolves when the open requests have ended or `drainSeconds` are over. */
  stop(): Promise<void>;
}

export interface Gateway extends Pick<Edge, 'port' | 'reload' | 'refresh' | 'refusedConfig' | 'stop'> {
  readonly adminPort: number;
  /** Lines about the process itself were lost: they are counted. */
  eventsLost(lines: number): void;
}

/** The whole proxy, in one thread. */
export async function startGateway(config: Config, dependencies: Dependencies): Promise<Gateway> {
  const edge = await startEdge(config, dependencies);
  const admin = createAdminServer({
    ...edge,
    status: () => gatewayStatus([edge.status()], { now: dependencies.clock() }),
  });
  const adminPort = await listen(admin, config.admin);
  let stopped: Promise<void> | undefined;
  return {
    ...edge,
    adminPort,
    eventsLost: edge.metrics.eventsLost,
    stop: () => (stopped ??= edge.stop().then(() => closed(admin, 0))),
  };
}

/** @param thread what the other threads of the process share with this one */
export async function startEdge(config: Config, outer: Dependencies, thread?: ThreadContext): Promise<Edge> {
  const resources = await openProcessResources({
    config,
    dependencies: outer,
    thread,
    current: () => state.generation,
    seen: {
      waitingFor: () => waitingFor(state, resources),
      certificateExpiry: () => certificateExpiry(state.generation.trust, edge.certificate),
      followed: () => followed(state.generation),
      configHash: () => state.generation.hash,
    },
  });
  const { metrics } = resources;
  const dependencies = counted(outer, metrics);
  const registry = createResourceRegistry();
  const transaction = registry.begin();
  const state: EdgeState = {
    generation: openGeneration(config, transaction.acquire, resources, dependencies),
    stopping: false,
  };
  transaction.commit();

  const context = { resources, dependencies, bodies: createBodyPool() };
  const edge = openEdge(config, state, resources, dependencies, (message, response) => {
    if (state.stopping) announceClose(response);
    if (message.url === '/healthz') answerHealth(message, response);
    else serve(context, state.generation, message, response);
  });
  const port = await listen(edge.server, { ...config.listen, reusePort: thread !== undefined });

  const inTurn = oneAtATime();
  let stopped: Promise<void> | undefined;
  return {
    port,
    metrics,
    waitingFor: () => waitingFor(state, resources),
    status: () => edgeStatus(state, resources, edge.certificate),
    reload: (another) =>
      inTurn(async () => {
        const problems = await reload(another, state, registry, resources, dependencies);
        metrics.reloaded('config', 'config', problems.length === 0);
        return problems;
      }),
    refresh() {
      registry.refresh();
      edge.certificate?.refresh();
      resources.refresh();
    },
    refusedConfig: () => metrics.reloaded('config', 'config', false),
    stop: () =>
      (stopped ??= drain(state, edge, resources).then(() => {
        registry.close();
        edge.certificate?.close();
        return resources.close();
      })),
  };
}

/** The server that clients reach, with its certificate, which is followed. */
function openEdge(
  config: Config,
  state: EdgeState,
  { metrics }: ProcessResources,
  dependencies: Dependencies,
  answer: (message: ClientMessage, response: ClientAnswer) => void,
) {
  const { tls } = config.listen;
  const certificate = tls && openTlsFiles(tls, reloadEvents(dependencies, 'certificate', tls.certFile));
  const edge = createEdgeServer(
    {
      limits: config.limits,
      peers: { has: (address) => state.generation.peers.has(address) },
      onRefused: (cause) => metrics.connectionRefused(cause),
      onHandshakeFailed: (cause) => metrics.handshakeFailed(cause),
      onUnreadable: (reason, address) => state.generation.responder.unreadable(reason, address),
      tls: certificate?.current(),
      askForCertificate: asksForCertificate(config),
    },
    answer,
  );
  certificate?.follow(edge.server as unknown as TlsServer);
  return { ...edge, certificate };
}
