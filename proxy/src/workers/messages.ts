/** What the main thread and the threads that serve say to each other. */
import type { Config } from '../config/index.js';
import type { BucketMemory } from '../limit/bucket-table.js';
import type { MetricValues } from '../observe/metrics.js';
import type { EdgeStatus } from '../observe/status.js';
import type { SharedClaims } from '../replay/memory-store.js';
import type { Buckets } from '../request-pipeline.js';

/** Given to a thread at its start. */
export interface ThreadStart {
  readonly config: Config;
  readonly claims: SharedClaims | undefined;
  readonly buckets: Buckets<BucketMemory>;
  /** What sessions are bound with, of all threads. */
  readonly sessionKey: Uint8Array;
  /** Of all threads: when, in milliseconds since the epoch, the event loop of each last turned. */
  readonly beats: BigInt64Array<SharedArrayBuffer>;
  readonly index: number;
}

/** What a thread can be asked, and what it answers. */
export interface Questions {
  readonly reload: { readonly ask: Config; readonly answer: readonly string[] };
  readonly refresh: { readonly ask: undefined; readonly answer: undefined };
  readonly refusedConfig: { readonly ask: undefined; readonly answer: undefined };
  readonly waitingFor: { readonly ask: undefined; readonly answer: readonly string[] };
  readonly status: { readonly ask: undefined; readonly answer: EdgeStatus };
  readonly metrics: { readonly ask: undefined; readonly answer: MetricValues };
  readonly stop: { readonly ask: undefined; readonly answer: undefined };
}

export type Question = {
  readonly [K in keyof Questions]: {
    readonly id: number;
    readonly kind: K;
    readonly ask: Questions[K]['ask'];
  };
}[keyof Questions];

export type ThreadMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'serving' }
  | { readonly kind: 'warning'; readonly problem: string }
  | { readonly kind: 'recovered'; readonly what: string }
  | { readonly kind: 'replaced'; readonly what: string; readonly live: string }
  | { readonly kind: 'audit'; readonly text: string };
