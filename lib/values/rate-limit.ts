import { Duration } from 'cdk8s';
import { checkFields } from '../support/fields';
import { DURATION, FLAG, NUMBER, oneOf, optional, Shape, struct } from '../support/kinds';
import { RATE_LIMIT } from './config-fields';

/** Whom one bucket counts. */
export enum RateLimitScope {
  /** One bucket for each proven key. */
  CALLER = 'caller',
  /** One bucket for all callers of the route. */
  ROUTE = 'route',
}

/** Shape of a token bucket. */
export interface TokenBucketOptions {
  /**
   * Size of the bucket, in requests: the burst that may come at once; 1 to 1 000 000. A request whose proof is
   * signed with EdDSA counts as 2, with ES384 as 11: what they cost to verify, compared with ES256.
   */
  readonly maxTokens: number;

  /** Requests added every `fillInterval`, counted like those of `maxTokens`; 1 to 1 000 000. */
  readonly tokensPerFill: number;

  /**
   * How often the bucket is filled; 1 millisecond to 1 day.
   *
   * @default Duration.seconds(1)
   */
  readonly fillInterval?: Duration;

  /**
   * Whom one bucket counts.
   *
   * @default RateLimitScope.CALLER
   */
  readonly per?: RateLimitScope;

  /**
   * One bucket for all replicas, kept in the Redis of the replay store; while that is away each replica counts
   * for itself. Such a bucket takes at least a second to fill.
   *
   * @default false - each replica counts for itself
   */
  readonly shared?: boolean;
}

const SHAPE: Shape<TokenBucketOptions> = {
  maxTokens: NUMBER,
  tokensPerFill: NUMBER,
  fillInterval: optional(DURATION),
  per: optional(oneOf(RateLimitScope)),
  shared: optional(FLAG),
};
const OPTIONS = struct('TokenBucketOptions', SHAPE);

/**
 * How many authenticated requests pass. Unless the limit is `shared`, each replica counts for itself: two
 * replicas admit up to twice the rate. Refused credentials are limited separately, by address, before any
 * cryptography.
 */
export class RateLimit {
  /** `maxTokens` at once, then `tokensPerFill` every `fillInterval`; more is answered 429. */
  public static tokenBucket(options: TokenBucketOptions): RateLimit {
    OPTIONS.check('rateLimit', options);
    checkFields('rateLimit', options, RATE_LIMIT);
    return new RateLimit(options);
  }

  /** @internal */
  public readonly _options: TokenBucketOptions;

  private constructor(options: TokenBucketOptions) {
    this._options = options;
  }
}
