/** A Valkey that is deployed beside a gateway, for its replay store. */
import { Duration, Size } from 'cdk8s';
import { checkFields } from '../support/fields';
import {
  DURATION,
  FLAG,
  instanceOf,
  NUMBER,
  oneOf,
  optional,
  Shape,
  SIZE,
  struct,
  TEXT,
} from '../support/kinds';
import { checkMillicores, wholeMebibytes } from '../support/quantity';
import { checkObjectName, refuse, shown } from '../support/text';
import { CaBundle } from './ca-bundle';
import { VALKEY_STORE } from './config-fields';
import { Image } from './image';
import { Peer } from './peer';
import { SecretSource } from './secret-source';
import { StoreFailure } from './store-failure';

/** Options of a Valkey of the gateway's own. */
export interface ValkeyStoreOptions {
  /**
   * Image with `valkey-server` 7.2 or later, built with TLS, and `valkey-cli`; neither a shell nor root is needed, for
   * example `docker.io/valkey/valkey`. There is no default: no digest of it is vouched for here.
   */
  readonly image: Image;

  /**
   * Password of the only user. The gateway reads it as a file; Valkey gets its SHA-256 only, which an init container
   * in the gateway's own image makes of it. A new password takes a restart of Valkey.
   */
  readonly password: SecretSource;

  /**
   * Name of the cert-manager Issuer in the gateway's namespace, or of the ClusterIssuer, that signs Valkey's
   * certificate. It must put its CA into `ca.crt`, as those of a private CA do: the gateway verifies Valkey by it.
   */
  readonly issuer: string;

  /**
   * Whether `issuer` is a ClusterIssuer.
   *
   * @default false - an Issuer
   */
  readonly clusterIssuer?: boolean;

  /**
   * The most requests with a good proof in a second, over all replicas and routes, for as long as a proof is
   * remembered; a whole number from 1 to 100 000. Memory is made to fit it. Beyond it requests are refused once the
   * memory is full, and none that was seen passes again.
   */
  readonly requestsPerSecond: number;

  /**
   * Memory of Valkey's container. Synth refuses less than `requestsPerSecond` needs, and more than 64 GiB.
   *
   * @default - what `requestsPerSecond` needs, 128 MiB or more
   */
  readonly memory?: Size;

  /**
   * CPU that Valkey asks for, in thousandths of a core; 1 to 64 000. There is no limit.
   *
   * @default 100
   */
  readonly cpuMillicores?: number;

  /**
   * Whether a drain of its node may evict Valkey, which costs some seconds of refused requests. Where it may not, a
   * drain waits until somebody deletes the pod.
   *
   * @default true
   */
  readonly evictable?: boolean;

  /**
   * A claim that has no answer by then is refused with 503; 10 milliseconds to 10 seconds.
   *
   * @default Duration.millis(500)
   */
  readonly timeout?: Duration;

  /**
   * After Valkey lost what it remembered (a restart, an eviction), proofs made before that moment are refused, and
   * those made less than this after it: how far ahead a client's clock may have been. The refusal carries a nonce with
   * which the next proof passes at once; a client that follows no nonces, and a self-signed token, is refused for so
   * long. At most 60 seconds. Less than the clock skew WEAKENS the gateway: a proof of a client whose clock was ahead
   * can be used once more after a loss.
   *
   * @default - the route's clock skew and 5 seconds
   */
  readonly epochMargin?: Duration;

  /**
   * What happens to requests while Valkey is away.
   *
   * @default StoreFailure.DENY
   */
  readonly onFailure?: StoreFailure;
}

const SHAPE: Shape<ValkeyStoreOptions> = {
  image: instanceOf(Image),
  password: instanceOf(SecretSource),
  issuer: TEXT,
  clusterIssuer: optional(FLAG),
  requestsPerSecond: NUMBER,
  memory: optional(SIZE),
  cpuMillicores: optional(NUMBER),
  evictable: optional(FLAG),
  timeout: optional(DURATION),
  epochMargin: optional(DURATION),
  onFailure: optional(oneOf(StoreFailure)),
};
const OPTIONS = struct('ValkeyStoreOptions', SHAPE);

const MOST_PER_SECOND = 100_000;

/** Of a disk, which other charts of Valkey have and this one has not (decision 38). */
const DISK = ['persistence', 'storageClass'] as const;

/** `options` may be anything: JavaScript asks for what the type has not. */
function refuseDisk(options: unknown): void {
  const given = (options ?? {}) as Partial<Record<(typeof DISK)[number], unknown>>;
  const asked = DISK.find((name) => given[name] !== undefined);
  if (asked === undefined) return;
  refuse({
    where: `valkey.${asked}`,
    want:
      'must be left out: what Valkey remembers from before its restart the gateway does not believe, so a ' +
      'disk would save no request',
    got: shown(given[asked]),
    next:
      'clients that follow nonces send one request more after a restart; for a server that somebody operates ' +
      'use ReplayStore.redis',
  });
}

export function checkValkey(options: ValkeyStoreOptions): void {
  refuseDisk(options);
  OPTIONS.check('valkey', options);
  checkObjectName('valkey.issuer', options.issuer);
  const { requestsPerSecond: rate, memory, cpuMillicores } = options;
  if (!Number.isInteger(rate) || rate < 1 || rate > MOST_PER_SECOND) {
    refuse({
      where: 'valkey.requestsPerSecond',
      want: `must be a whole number from 1 to ${MOST_PER_SECOND}`,
      got: rate,
      next: 'count requests with a good proof, over all replicas and routes',
    });
  }
  if (memory !== undefined) wholeMebibytes(memory);
  if (cpuMillicores !== undefined) checkMillicores('valkey.cpuMillicores', cpuMillicores);
  checkFields('valkey', options, VALKEY_STORE);
}

/** The only user. */
export const VALKEY_USER = 'agentgateway';
/** What all its keys start with. */
export const VALKEY_KEYS = 'agw:jti:';

/** What its objects are called. */
export const valkeyName = (gateway: string) => `${gateway}-valkey`;
/** Of the Secret that cert-manager writes. */
export const valkeyTlsSecret = (gateway: string) => `${valkeyName(gateway)}-tls`;
export const valkeySelector = (gateway: string): Record<string, string> => ({
  'app.kubernetes.io/name': 'valkey',
  'app.kubernetes.io/instance': valkeyName(gateway),
});

/** How this gateway connects to its Valkey. */
export const besideGateway = (
  { name, namespace }: { readonly name: string; readonly namespace: string },
  { password, timeout, epochMargin, onFailure }: ValkeyStoreOptions,
) => ({
  host: `${valkeyName(name)}.${namespace}.svc`,
  peer: Peer.pods(valkeySelector(name)),
  ca: CaBundle.fromSecret(valkeyTlsSecret(name)),
  username: VALKEY_USER,
  password,
  keyPrefix: VALKEY_KEYS,
  timeout,
  epochMargin,
  onFailure,
});
