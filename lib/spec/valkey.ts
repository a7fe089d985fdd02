/** How much memory a gateway's own Valkey needs, for the rate that was announced. */
import { Duration } from 'cdk8s';
import { wholeMebibytes } from '../support/quantity';
import { AuthProfile } from '../values/auth-profile';
import { DpopOptions } from '../values/auth-profile-options';
import { authOf, GatewaySpec } from './gateway-spec';

/**
 * Measured with claims as the proxy writes them, 8 000 a second over 4 times their life: 190 bytes a claim that lives
 * (redis-server 7.0.15) and 138 (valkey-server 9.1.2). That is at the worst size of the hash table, with the claims
 * that are over and not yet deleted.
 */
const CLAIM_BYTES = 240;
/** A bucket that replicas share: 256 bytes (redis-server 7.0.15), and those not yet deleted. */
const BUCKET_BYTES = 320;
/** The server itself takes 1 MiB, and a connection 37 KiB. */
const SERVER_MEBIBYTES = 16;
/** What the process has from the system for each byte that it uses: 1.11 measured, 1.15 at the most. */
const RESIDENT = 1.25;
/** The program, what TLS has for connections, and the program of the probes. */
const PROCESS_MEBIBYTES = 32;
/** The init container is Node, which does not start in less than half of it. */
const LEAST_MEBIBYTES = 128;
export const MOST_MEBIBYTES = 64 * 1024;

/** Defaults of the proxy's schema that memory depends on; test/lib/valkey.test.ts holds them against it. */
export const WINDOW_DEFAULTS = {
  proofMaxAgeSeconds: 300,
  nonceLifetimeSeconds: 300,
  clockSkewSeconds: 60,
  maxTokenAgeSeconds: 300,
  selfSignedSkewSeconds: 5,
};

/** Claims are held for so much longer than their window: `CLOCK_MARGIN_SECONDS` of the proxy's store. */
const MARGIN_SECONDS = 5;

const MEBIBYTE = 2 ** 20;

/** For how long after it is used a proof of some route is remembered at the most. */
export const heldSeconds = (spec: GatewaySpec): number =>
  Math.max(0, ...spec.routes.map((route) => windowSeconds(authOf(spec, route)))) + MARGIN_SECONDS;

/** A proof of a clock that is ahead is remembered for so much longer. */
function windowSeconds({ _profile, _dpop, _selfSigned, _common }: AuthProfile): number {
  const { clockSkew } = _common;
  switch (_profile) {
    case 'mtls':
      return 0;
    case 'selfSigned':
      return (
        seconds(_selfSigned?.maxTokenAge, WINDOW_DEFAULTS.maxTokenAgeSeconds) +
        seconds(clockSkew, WINDOW_DEFAULTS.selfSignedSkewSeconds)
      );
    default:
      return proofSeconds(_dpop ?? {}) + seconds(clockSkew, WINDOW_DEFAULTS.clockSkewSeconds);
  }
}

const proofSeconds = ({ nonce, proofMaxAge }: DpopOptions): number =>
  nonce?.timeFromNonce === true
    ? seconds(nonce.lifetime, WINDOW_DEFAULTS.nonceLifetimeSeconds)
    : seconds(proofMaxAge, WINDOW_DEFAULTS.proofMaxAgeSeconds);

const seconds = (duration: Duration | undefined, usual: number): number =>
  duration?.toSeconds({ integral: false }) ?? usual;

/** For how long a bucket that replicas share is kept after its last request. */
export const bucketSeconds = (spec: GatewaySpec): number =>
  Math.max(
    0,
    ...spec.routes
      .map(({ rateLimit = spec.rateLimit }) => rateLimit._options)
      .filter(({ shared }) => shared)
      .map(
        ({ maxTokens, tokensPerFill, fillInterval }) =>
          (maxTokens / tokensPerFill) * seconds(fillInterval, 1),
      ),
  );

/** Each request claims one proof, and touches one bucket at the most. */
export function leastMebibytes(spec: GatewaySpec): number {
  const { requestsPerSecond = 0 } = spec.replayStore._valkey ?? {};
  const bytes = requestsPerSecond * (heldSeconds(spec) * CLAIM_BYTES + bucketSeconds(spec) * BUCKET_BYTES);
  const used = SERVER_MEBIBYTES + bytes / MEBIBYTE;
  return Math.max(LEAST_MEBIBYTES, Math.ceil(used * RESIDENT + PROCESS_MEBIBYTES));
}

/** Memory of the container. */
export function valkeyMebibytes(spec: GatewaySpec): number {
  const { memory } = spec.replayStore._valkey ?? {};
  return memory === undefined ? leastMebibytes(spec) : wholeMebibytes(memory);
}

/** `maxmemory`: what is left for claims, so that Valkey refuses a claim before the kernel ends Valkey. */
export const maxmemoryBytes = (spec: GatewaySpec): number =>
  Math.floor((valkeyMebibytes(spec) - PROCESS_MEBIBYTES) / RESIDENT) * MEBIBYTE;

export const valkeyMillicores = ({ replayStore }: GatewaySpec): number =>
  replayStore._valkey?.cpuMillicores ?? 100;
