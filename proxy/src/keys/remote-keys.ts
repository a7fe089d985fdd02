import type { Clock } from '../clock.js';
import type { Issuer } from '../config/index.js';
import { discoverJwksUri } from './discovery.js';
import { fetchText } from './fetch-text.js';
import type { Egress } from './egress-proxy.js';
import type { KeySource, VerificationKey } from './key-source.js';
import { NetworkShare } from './network-share.js';
import { describeKeys, keysFor, parseJwks, reportIgnored } from './parse-jwks.js';

/** A set at a URL, or where the metadata of its issuer says. */
export type RemoteJwks =
  | Extract<Issuer['jwks'], { url: string }>
  | (Extract<Issuer['jwks'], { discover: true }> & { readonly issuer: string });

export interface RemoteKeysOptions {
  readonly now: Clock;
  readonly onProblem: (problem: string) => void;
  /** Keys of a set that is in use were ignored. */
  readonly onIgnored: (ignored: string) => void;
  /** Absent: the issuer is asked directly. */
  readonly egress?: Egress | undefined;
  /**
   * A new set is in use, or the one that is could be fetched again after a failure.
   *
   * @param live what is in a new one, for a log
   */
  readonly onLoaded?: ((live: string | undefined) => void) | undefined;
}

const MAX_BYTES = 1 << 20;
/** Requests that wait for a set at a time. */
const MAX_WAITING = 256;

const placeOf = (jwks: RemoteJwks): string => ('url' in jwks ? jwks.url : jwks.issuer);

/** Runs `load` one at a time, and begins at most once per cooldown, however it ends. */
function paced(load: () => Promise<void>, cooldownSeconds: number, now: Clock): () => Promise<void> {
  let attemptedAt = -Infinity;
  let loading: Promise<void> | undefined;
  return () => {
    if (loading !== undefined) return loading;
    const since = now() - attemptedAt;
    // A clock that was set back makes it negative: no reason to wait until the old time comes again.
    if (since >= 0 && since < cooldownSeconds) return Promise.resolve();
    attemptedAt = now();
    loading = load().finally(() => {
      loading = undefined;
    });
    return loading;
  };
}

async function fetchSet(jwks: RemoteJwks, egress: Egress | undefined): Promise<string> {
  const { caFile, timeoutSeconds } = jwks;
  const limits = { caFile, timeoutSeconds, egress };
  const url = 'url' in jwks ? jwks.url : await discoverJwksUri(jwks.issuer, limits);
  return fetchText(url, { ...limits, maxBytes: MAX_BYTES });
}

/**
 * An issuer's JWK Set over HTTP, rationed: at most one fetch per cooldown counted from the last attempt,
 * successful or not, whatever kids callers send. A set that cannot be fetched anew stays in use for
 * `maxStaleSeconds`.
 */
export function openRemoteKeys(
  jwks: RemoteJwks,
  { now, egress, onProblem, onIgnored, onLoaded }: RemoteKeysOptions,
): KeySource {
  let keys: readonly VerificationKey[] = [];
  let ignored = 0;
  let generation = 0;
  let loadedAt = -Infinity;
  let lastText: string | undefined;
  let isFailing = false;
  const openedAt = now();
  const waiting = new NetworkShare(MAX_WAITING);

  const load = async () => {
    try {
      const text = await fetchSet(jwks, egress);
      // The same set again is as new as another, but nothing that was verified under it has to be verified again.
      const isNew = text !== lastText;
      if (isNew) {
        const parsed = parseJwks(text);
        if (!parsed.ok) throw new Error(parsed.problems.join('; '));
        keys = parsed.keys;
        ignored = parsed.ignored.length;
        reportIgnored(placeOf(jwks), parsed.ignored, onIgnored);
        generation += 1;
        lastText = text;
      }
      if (isNew || isFailing) onLoaded?.(isNew ? describeKeys(keys) : undefined);
      isFailing = false;
      loadedAt = now();
    } catch (cause) {
      isFailing = true;
      const effect = keys.length === 0 ? 'no key is trusted' : 'the keys fetched before stay in use';
      onProblem(`${placeOf(jwks)}: ${(cause as Error).message}; ${effect}`);
    }
  };
  const refresh = paced(load, jwks.cooldownSeconds, now);
  // Due when the set is old, or when there is none; the cooldown paces attempts that fail.
  const timer = setInterval(() => {
    if (now() - loadedAt >= jwks.refreshSeconds) void refresh();
  }, 1_000).unref();
  void refresh();

  const fresh = () => now() - loadedAt <= jwks.refreshSeconds + jwks.maxStaleSeconds;
  return {
    find: (kid) => (fresh() ? keysFor(keys, kid) : []),
    refresh,
    refreshFor: (network) => waiting.within(network, refresh),
    ready: () => keys.length > 0 && fresh(),
    generation: () => generation,
    ignored: () => ignored,
    ageSeconds: () => now() - (loadedAt === -Infinity ? openedAt : loadedAt),
    close: () => clearInterval(timer),
  };
}
