import { listOf, oneOf, optional, Shape, struct } from '../support/kinds';

/** A rule that the API server holds objects to, beyond the restricted Pod Security Standard. */
export enum AdmissionRule {
  /**
   * Images are named by digest: a tag can be moved, and `repository:sha256:…` is no digest though the API
   * server takes it.
   */
  IMAGE_DIGEST = 'image-digest',
  /** No container is root, in a user namespace of its own neither, where Pod Security allows it from 1.35. */
  NON_ROOT = 'non-root',
  /** Root filesystems are read-only, which Pod Security does not ask for. */
  READ_ONLY_ROOT = 'read-only-root',
  /** Secrets are mounted as files: a variable is never renewed, and every child process and crash dump has it. */
  NO_SECRET_ENV = 'no-secret-env',
  /** Files of ConfigMaps, Secrets and tokens are not mounted with `subPath`: they would never be renewed. */
  NO_SUB_PATH = 'no-sub-path',
  /**
   * No container sees the processes of another, and through them its files: neither in the pod nor by a debug
   * container with a target.
   */
  OWN_PROCESSES = 'own-processes',
  /** Services are of type ClusterIP, without external addresses. */
  CLUSTER_IP = 'cluster-ip',
  /**
   * A gateway with a memory replay store has one replica, whoever scales it: another would take every proof once
   * more.
   */
  ONE_REPLICA = 'one-replica',
}

/** Which rules. */
export interface AdmissionOptions {
  /**
   * Rules that do not hold.
   *
   * @default - none: every rule holds
   */
  readonly without?: AdmissionRule[];
}

const SHAPE: Shape<AdmissionOptions> = { without: optional(listOf(oneOf(AdmissionRule))) };
const OPTIONS = struct('AdmissionOptions', SHAPE);

/**
 * What the API server does about an object of the namespace that breaks an `AdmissionRule`: a
 * ValidatingAdmissionPolicy for pods, also by `kubectl debug`, for the workloads that make them, so that an
 * apply fails and not a rollout, for Services, and for how far a gateway is scaled. What was there before the
 * rules may still be changed elsewhere and ended. Needs Kubernetes 1.30.
 *
 * @see https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export class Admission {
  /** It is refused, and the refusal is in the audit log. */
  public static deny(options?: AdmissionOptions): Admission {
    return new Admission(['Deny', 'Audit'], options);
  }

  /**
   * WEAKENS the namespace: whoever applies it is warned, and it is in the audit log. For a namespace that is
   * not there yet.
   */
  public static warn(options?: AdmissionOptions): Admission {
    return new Admission(['Warn', 'Audit'], options);
  }

  /** WEAKENS the namespace: Pod Security alone. */
  public static none(): Admission {
    return new Admission([], { without: Object.values(AdmissionRule) });
  }

  /** @internal */
  public readonly _actions: readonly string[];

  /** @internal */
  public readonly _rules: readonly AdmissionRule[];

  private constructor(actions: readonly string[], options: AdmissionOptions = {}) {
    OPTIONS.check('admission', options);
    const { without = [] } = options;
    this._actions = actions;
    this._rules = Object.values(AdmissionRule).filter((rule) => !without.includes(rule));
  }
}
