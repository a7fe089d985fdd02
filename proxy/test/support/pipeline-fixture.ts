/**
 * The way of a request up to its decision, in this process and without sockets: for tests that ask ten thousand
 * times.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wallClock } from '../../src/clock.js';
import { parseConfig, type ConfigInput } from '../../src/config/index.js';
import { createSessionKeys, newSessionKey } from '../../src/keys/session-keys.js';
import { headerFields } from '../../src/http/header-fields.js';
import { Denial, type Reason } from '../../src/pipeline/reason.js';
import { then } from '../../src/pipeline/stage.js';
import { createVerifyQueue } from '../../src/profiles/verify-queue.js';
import { createMemoryStore } from '../../src/replay/memory-store.js';
import { longestWindowSeconds } from '../../src/replay/window.js';
import { createResourceRegistry } from '../../src/resource-registry.js';
import { openTrust } from '../../src/trust.js';
import {
  bucketMemories,
  bucketTables,
  createAddressLimits,
  createPipeline,
} from '../../src/request-pipeline.js';
import { ORIGIN } from './gateway.js';
import { jwkOf, type Pair } from './mint.js';

export interface PipelineFixture {
  /** Replays are checked too: the same request twice is a replay. */
  decide(method: string, target: string, raw: readonly string[]): Promise<Reason | 'ok'>;
  stop(): void;
}

export function startPipelineFixture(as: Pair, change?: (config: ConfigInput) => void): PipelineFixture {
  const dir = mkdtempSync(join(tmpdir(), 'agw-pipeline-'));
  writeFileSync(
    join(dir, 'as.json'),
    JSON.stringify({ keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
  );
  const input: ConfigInput = {
    version: 1,
    publicOrigins: [ORIGIN],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'as.json') } }],
    replay: { store: 'memory' },
    limits: { refusalsPerAddress: { maxTokens: 1_000_000, tokensPerSecond: 1_000_000 } },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'] },
        backend: { url: 'http://127.0.0.1:9' },
      },
    ],
  };
  change?.(input);
  const parsed = parseConfig(input);
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  const { config } = parsed;
  const resources = createResourceRegistry().begin();
  const trust = openTrust(config, resources.acquire, {
    clock: wallClock,
    warn: (problem) => {
      throw new Error(problem);
    },
  });
  const store = createMemoryStore({
    maxEntries: 1_000_000,
    windowSeconds: longestWindowSeconds(config.routes),
    now: wallClock,
    remembersSince: 0,
  });
  const tables = bucketTables(bucketMemories(false));
  const {
    accept: enter,
    matchRoute: route,
    decide,
  } = createPipeline(config, {
    trust,
    acquire: resources.acquire,
    store,
    sessionKeys: createSessionKeys(newSessionKey(), wallClock),
    buckets: tables.callers,
    addressLimits: createAddressLimits(config, tables.addresses, wallClock),
    clock: wallClock,
    verify: createVerifyQueue({ isWelcome: () => true, most: 1_000_000 }),
  });
  const pipeline = then(then(enter, route), decide);
  return {
    async decide(method, target, raw) {
      const received = {
        id: 'x',
        receivedAt: 0,
        address: '127.0.0.1',
        network: '127.0.0.1',
        fromTrustedPeer: false,
        forwarded: undefined,
        version: '1.1',
        method,
        target,
        headers: headerFields(raw),
        framing: undefined,
        facts: {},
        reply: {},
        lacksFields: false,
        tlsCertificate: () => undefined,
        readBody: () => Promise.resolve({ bytes: Buffer.alloc(0), release: () => {} }),
      };
      const decision = await pipeline(received);
      return decision instanceof Denial ? decision.reason : 'ok';
    },
    stop() {
      resources.rollback();
      rmSync(dir, { recursive: true });
    },
  };
}
