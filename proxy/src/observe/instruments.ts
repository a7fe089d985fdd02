import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { codeHash, VERSION } from './build.js';

/** What the gauges that are read on demand show. */
export interface Sources {
  readonly replayEntries: () => number | undefined;
  readonly openStreams: () => number;
  readonly ignoredKeys: () => Iterable<readonly [issuer: string, keys: number]>;
  readonly keyAgeSeconds: () => Iterable<readonly [issuer: string, seconds: number]>;
  /** Keys that verify tokens now. */
  readonly liveKeys: () => Iterable<readonly [issuer: string, keys: number]>;
  /** Names of what is not ready, as `/readyz` says them; empty when the gateway can serve. */
  readonly waitingFor: () => readonly string[];
  /** Of the config in use: the same in all pods that run the same. */
  readonly configHash: () => string;
  /** What can be read again -> names of those that are followed: files, or issuers. */
  readonly followed: () => Readonly<Record<string, readonly string[]>>;
  /** Of certificates in use: when they end, in seconds since the epoch. */
  readonly certificateExpiry: () => Iterable<readonly [file: string, at: number]>;
}

export const AUDIT_LOST = {
  name: 'agentgateway_audit_lines_lost_total',
  help: 'Audit lines that could not be written: nobody reads them, or the disk is full.',
};
export const EVENTS_LOST = {
  name: 'agentgateway_event_lines_lost_total',
  help: 'Lines about the process itself that could not be written to standard error: nobody reads them.',
};

const AUTH_FAILURES = {
  name: 'agentgateway_jwt_auth_failure_total',
  help: 'Requests refused for their token or proof.',
  labelNames: ['route', 'reason'],
} as const;
const LIMITED = {
  name: 'agentgateway_rate_limit_triggered_total',
  help: 'Requests refused by a rate limit.',
  labelNames: ['route'],
} as const;
const REFUSALS = {
  name: 'agentgateway_refusals_total',
  help: 'Requests the gateway answered itself, by reason.',
  labelNames: ['route', 'reason'],
} as const;
const WOULD_DENY = {
  name: 'agentgateway_permissive_would_deny_total',
  help: 'Requests a strict route would have refused.',
  labelNames: ['route', 'reason'],
} as const;
const UNCHECKED = {
  name: 'agentgateway_replay_unchecked_total',
  help: 'Proofs that passed while the replay store was away (replay.onStoreFailure local or allow).',
} as const;
const CONNECTIONS = {
  name: 'agentgateway_connections_refused_total',
  help: 'Connections not taken: too many of one address, or altogether.',
  labelNames: ['cause'],
} as const;
const HANDSHAKES = {
  name: 'agentgateway_tls_handshakes_failed_total',
  help:
    'TLS handshakes of clients that failed: not_tls, version, parameters (nothing in common), certificate_refused ' +
    '(by the client), timeout, client_gone (also checks that only connect), other.',
  labelNames: ['cause'],
} as const;
const RELOADS = {
  name: 'agentgateway_reloads_total',
  help: 'Files and key sets read again: the config, JWK Sets, nonce keys, credentials, the certificate.',
  labelNames: ['what', 'result'],
  aggregator: 'max',
} as const;
const CUT_SHORT = {
  name: 'agentgateway_answers_cut_short_total',
  help: 'Answers that ended before their backend ended them, by cause.',
  labelNames: ['route', 'cause'],
} as const;
const DURATION = {
  name: 'agentgateway_request_duration_seconds',
  help: 'Time from the request line to the end of the answer.',
  labelNames: ['route', 'status'] as const,
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
};
const PROOF_AGE = {
  name: 'agentgateway_proof_age_seconds',
  help: 'Age of proofs by their own iat, refused ones too; below 0 the clock of the client runs ahead.',
  // No bound of -1: prom-client takes that for "above all bounds".
  buckets: [-300, -60, -30, -5, -2, 0, 1, 2, 5, 15, 30, 60, 120, 300, 600],
};
const TOKEN_AGE = {
  name: 'agentgateway_token_age_seconds',
  help: 'Age of access tokens at their use, by iat.',
  buckets: [1, 10, 60, 300, 900, 3600, 14_400, 86_400],
};
const CLAIMS = {
  name: 'agentgateway_replay_claim_duration_seconds',
  help: 'Time a shared replay store takes to answer, by answer: first, seen, forgotten, full, down.',
  labelNames: ['answer'] as const,
  buckets: [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
};
const SPANS = {
  name: 'agentgateway_trace_spans_dropped_total',
  help: 'Spans that were not exported: the queue was full, or the collector did not take them.',
  labelNames: ['cause'],
} as const;
const ACTIVE = {
  name: 'agentgateway_active_connections',
  help: 'Requests and streams open towards a backend.',
  labelNames: ['backend'],
} as const;
const QUEUED = {
  name: 'agentgateway_upstream_queued',
  help: 'Requests that wait for a connection to a backend: all of upstream.maxSockets are in use.',
  labelNames: ['backend'],
} as const;

/** What is counted elsewhere and handed over at a scrape. */
export interface Counted {
  /** Backend -> requests and streams open towards it. */
  readonly active: ReadonlyMap<string, number>;
  /** What was read again and refused -> names of those whose last content was. */
  readonly refused: ReadonlyMap<string, ReadonlySet<string>>;
}

export type Instruments = ReturnType<typeof createInstruments>;

/**
 * All that the gateway counts itself, in the order in which it is shown.
 */
export function createInstruments(registry: Registry, sources: Sources, { active, refused }: Counted) {
  const registers = [registry];
  const instruments = {
    authFailures: new Counter({ ...AUTH_FAILURES, registers }),
    limited: new Counter({ ...LIMITED, registers }),
    refusals: new Counter({ ...REFUSALS, registers }),
    wouldDeny: new Counter({ ...WOULD_DENY, registers }),
    unchecked: new Counter({ ...UNCHECKED, registers }),
    connections: new Counter({ ...CONNECTIONS, registers }),
    handshakes: new Counter({ ...HANDSHAKES, registers }),
    auditLost: new Counter({ ...AUDIT_LOST, registers }),
    eventsLost: new Counter({ ...EVENTS_LOST, registers }),
    reloads: new Counter({ ...RELOADS, registers }),
    cutShort: new Counter({ ...CUT_SHORT, registers }),
    duration: new Histogram({ ...DURATION, registers }),
    proofAge: new Histogram({ ...PROOF_AGE, registers }),
    tokenAge: new Histogram({ ...TOKEN_AGE, registers }),
    claims: new Histogram({ ...CLAIMS, registers }),
    spans: new Counter({ ...SPANS, registers }),
    active: new Gauge({
      ...ACTIVE,
      registers,
      collect() {
        for (const [backend, exchanges] of active) this.set({ backend }, exchanges);
      },
    }),
    queued: new Gauge({ ...QUEUED, registers }),
  };
  openGauges(registers, sources);
  openKeyGauges(registers, sources);
  openReadinessGauges(registers, sources);
  openInfoGauges(registers, sources);
  openReloadGauges(registers, sources, refused);
  return instruments;
}

/** Gauges that are asked for at every scrape. */
function openGauges(registers: Registry[], sources: Sources): void {
  new Gauge({
    name: 'agentgateway_open_streams',
    help: 'Event streams open towards clients.',
    registers,
    collect() {
      this.set(sources.openStreams());
    },
  });
  new Gauge({
    name: 'agentgateway_replay_entries',
    help: 'Proofs remembered by the memory store.',
    registers,
    aggregator: 'max',
    collect() {
      this.set(sources.replayEntries() ?? 0);
    },
  });
}

/** Which keys verify tokens, by how many: an issuer's kids are many over time, and its to choose. */
function openKeyGauges(registers: Registry[], sources: Sources): void {
  new Gauge({
    name: 'agentgateway_jwks_keys',
    help: 'Keys of an issuer that verify tokens now; 0: none of its tokens pass.',
    labelNames: ['issuer'],
    registers,
    aggregator: 'min',
    collect() {
      this.reset(); // of issuers that a reload took away
      for (const [issuer, keys] of sources.liveKeys()) this.set({ issuer }, keys);
    },
  });
  new Gauge({
    name: 'agentgateway_jwks_ignored_keys',
    help: 'Keys of the current key set of an issuer that are not used: of another kind or use, or no good.',
    labelNames: ['issuer'],
    registers,
    aggregator: 'max',
    collect() {
      this.reset();
      for (const [issuer, keys] of sources.ignoredKeys()) this.set({ issuer }, keys);
    },
  });
  new Gauge({
    name: 'agentgateway_jwks_age_seconds',
    help: 'Time since the current key set of an issuer was loaded.',
    labelNames: ['issuer'],
    registers,
    aggregator: 'max',
    collect() {
      this.reset();
      for (const [issuer, seconds] of sources.keyAgeSeconds()) this.set({ issuer }, seconds);
    },
  });
}

/** What keeps it from serving, now or soon. */
function openReadinessGauges(registers: Registry[], sources: Sources): void {
  new Gauge({
    name: 'agentgateway_ready',
    help: '1: it can serve, as /readyz says; 0: it waits for something.',
    registers,
    aggregator: 'min',
    collect() {
      this.set(sources.waitingFor().length === 0 ? 1 : 0);
    },
  });
  new Gauge({
    name: 'agentgateway_waiting_for',
    help: '1 for each thing that it waits for before it is ready; there is none once it has it.',
    labelNames: ['what'],
    registers,
    aggregator: 'max',
    collect() {
      this.reset();
      for (const what of sources.waitingFor()) this.set({ what }, 1);
    },
  });
  new Gauge({
    name: 'agentgateway_certificate_expiry_seconds',
    help:
      'When a certificate in use ends, the next one of a CA bundle (of backends, issuers, Redis, the ' +
      'collector, the egress proxy), in seconds since the epoch.',
    labelNames: ['file'],
    registers,
    aggregator: 'min',
    collect() {
      this.reset();
      for (const [file, at] of sources.certificateExpiry()) this.set({ file }, at);
    },
  });
}

/** Which code and which config run. */
function openInfoGauges(registers: Registry[], sources: Sources): void {
  new Gauge({
    name: 'agentgateway_build_info',
    help: '1, with the release of the package and the hash of the code: pods that differ run different ones.',
    labelNames: ['version', 'code'],
    registers,
    aggregator: 'max',
    collect() {
      this.set({ version: VERSION, code: codeHash() }, 1);
    },
  });
  new Gauge({
    name: 'agentgateway_config_info',
    help: '1, with the hash of the config in use: pods that differ run different ones.',
    labelNames: ['hash'],
    registers,
    aggregator: 'max',
    collect() {
      this.reset();
      this.set({ hash: sources.configHash() }, 1);
    },
  });
}

function openReloadGauges(registers: Registry[], sources: Sources, refused: Counted['refused']): void {
  new Gauge({
    name: 'agentgateway_reload_failed',
    help: 'How many of these are no good as they are mounted or served now; what was read before is in use.',
    labelNames: ['what'],
    registers,
    aggregator: 'max',
    collect() {
      for (const [what, names] of Object.entries(sources.followed()))
        this.set({ what }, names.filter((name) => refused.get(what)?.has(name)).length);
    },
  });
}
