/** The way of a request, up to what its backend will see: the stages in their order. */
import type { Clock } from './clock.js';
import type { Cluster, Redis } from 'ioredis';
import type { Config, RateLimitConfig, Route } from './config/index.js';
import type { RateLimiter } from './limit/rate-limiter.js';
import { createSharedBuckets } from './limit/shared-buckets.js';
import {
  bucketMemory,
  createBucketTable,
  type BucketMemory,
  type BucketTable,
} from './limit/bucket-table.js';
import { createTokenBuckets } from './limit/token-bucket.js';
import type { Accepted, LocalAnswer, Outbound, Received, Routed } from './pipeline/evidence.js';
import { inOrder, then, type Stage } from './pipeline/stage.js';
import type { Acquire } from './resource-registry.js';
import { createProfiles } from './profiles/profiles.js';
import type { Verify } from './profiles/verify-queue.js';
import type { ReplayStore } from './replay/replay-store.js';
import { accept, type AddressLimits } from './stages/accept.js';
import { answerLocally } from './stages/answer-locally.js';
import { applyMcpPolicy } from './stages/apply-mcp-policy.js';
import { awaitEnd } from './stages/await-end.js';
import { authenticate } from './stages/authenticate.js';
import { bindSession } from './stages/bind-session.js';
import type { SessionKeys } from './keys/key-source.js';
import { countBeforeBody, limitRate, refuseLimited } from './stages/limit-rate.js';
import { lookForReplay } from './stages/look-for-replay.js';
import { matchRoute } from './stages/match-route.js';
import { rejectReplay } from './stages/reject-replay.js';
import { rewrite } from './stages/rewrite.js';
import type { Trust } from './trust.js';

export interface RequestPipeline {
  readonly accept: Stage<Received, Accepted>;
  /** An answer that needs no credentials, for the requests that ask for one. */
  readonly answerLocally: (x: Accepted) => LocalAnswer | undefined;
  readonly matchRoute: Stage<Accepted, Routed>;
  /** Who asks and for what, whether the proof was used before, and what the backend will see. */
  readonly decide: Stage<Routed, Outbound>;
}

export interface PipelineOptions {
  readonly trust: Trust;
  readonly acquire: Acquire;
  /** Of proven callers: outlives a reload, which must not fill the buckets again. */
  readonly buckets: BucketTable;
  readonly store: ReplayStore;
  readonly sessionKeys: SessionKeys;
  readonly addressLimits: AddressLimits;
  /** Where shared buckets are, asked only where there are some; absent: they count here. */
  readonly sharedRedis?: SharedRedis | undefined;
  readonly clock: Clock;
  readonly verify: Verify;
}

export function createPipeline(
  config: Config,
  { trust, acquire, buckets, store, sessionKeys, addressLimits, sharedRedis, clock, verify }: PipelineOptions,
): RequestPipeline {
  const limiters = new Map<Route, RateLimiter>(
    config.routes.flatMap((route) =>
      route.rateLimit === undefined
        ? []
        : [
            [
              route,
              acquire(['buckets', route.name, route.rateLimit], () =>
                openBuckets(route.name, route.rateLimit!, config, buckets, sharedRedis, clock),
              ),
            ],
          ],
    ),
  );
  const limiterOf = (route: Route) => limiters.get(route);
  const beforeBody = then(lookForReplay(store), countBeforeBody(limiterOf));
  const profiles = createProfiles(config, {
    ...trust,
    clock,
    verify,
    refuseLimited: refuseLimited(limiterOf),
  });
  const credentialOf = (file: string) => trust.credentials.get(file)?.value();
  return {
    accept: accept(config, addressLimits),
    answerLocally: answerLocally(config),
    matchRoute: matchRoute(config.routes),
    decide: inOrder(
      then(authenticate(profiles), awaitEnd(config, beforeBody)),
      applyMcpPolicy(config, beforeBody),
      bindSession(sessionKeys),
      rejectReplay(store, { clock, replay: config.replay }),
      limitRate(limiterOf),
      rewrite(credentialOf, (route) => trust.exchangers.get(route.name)),
    ),
  };
}

/**
 * Buckets of proven callers and of addresses are apart: whoever has many addresses must not push out what
 * callers are counted by.
 */
export interface Buckets<T> {
  readonly callers: T;
  readonly addresses: T;
}

/** Kept of each; 40 bytes a bucket, which the system gives as they are used. */
const MOST_BUCKETS = 200_000;

export const bucketMemories = (shared: boolean): Buckets<BucketMemory> => ({
  callers: bucketMemory(MOST_BUCKETS, { shared }),
  addresses: bucketMemory(MOST_BUCKETS, { shared }),
});

export const bucketTables = ({ callers, addresses }: Buckets<BucketMemory>): Buckets<BucketTable> => ({
  callers: createBucketTable(callers),
  addresses: createBucketTable(addresses),
});

export function createAddressLimits(
  { limits: { requestsPerAddress, refusalsPerAddress } }: Config,
  table: BucketTable,
  now: Clock,
): AddressLimits {
  const open = (name: string, { maxTokens, tokensPerSecond }: typeof refusalsPerAddress) =>
    createTokenBuckets({
      name: JSON.stringify([name, maxTokens, tokensPerSecond]),
      table,
      maxTokens,
      tokensPerFill: tokensPerSecond,
      fillIntervalSeconds: 1,
      now,
    });
  return {
    requests: requestsPerAddress && open('requests', requestsPerAddress),
    refusals: open('refusals', refusalsPerAddress),
  };
}

export type SharedRedis = () => Promise<Redis | Cluster>;

function openBuckets(
  name: string,
  limit: RateLimitConfig,
  { replay }: Config,
  table: BucketTable,
  redis: SharedRedis | undefined,
  now: Clock,
): RateLimiter {
  const local = createTokenBuckets({ ...limit, name: JSON.stringify([name, limit]), table, now });
  return limit.shared && replay.store === 'redis' && redis !== undefined
    ? createSharedBuckets({ ...limit, prefix: `${replay.keyPrefix}rate:${name}`, redis, local })
    : local;
}
