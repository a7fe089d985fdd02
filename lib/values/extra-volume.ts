import { recordOf, TEXT } from '../support/kinds';
import { checkObjectName } from '../support/text';
import { VolumeSource } from './volume-source';

/**
 * Files that the proxy container gets beside its own, read-only, under `/mnt` and the name of the volume. What a pod
 * could take from its node (`hostPath`) is not offered: the restricted Pod Security Standard refuses it.
 */
export class ExtraVolume {
  /** Every key of a ConfigMap of the gateway's namespace, as a file. */
  public static fromConfigMap(name: string): ExtraVolume {
    return new ExtraVolume({ configMap: checkObjectName('extraVolumes.configMap', name) });
  }

  /** Every key of a Secret of the gateway's namespace, as a file. No SecretsRoute may answer it. */
  public static fromSecret(name: string): ExtraVolume {
    return new ExtraVolume({ secret: checkObjectName('extraVolumes.secret', name) });
  }

  /**
   * What a CSI driver mounts, for example `secrets-store.csi.k8s.io` with the attribute `secretProviderClass`. The
   * driver is trusted: its CSIDriver says which pods it may be used by.
   *
   * @see https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#csi-ephemeral-volumes
   */
  public static fromCsiDriver(driver: string, attributes: Record<string, string> = {}): ExtraVolume {
    checkObjectName('extraVolumes.driver', driver);
    recordOf(TEXT).check('extraVolumes.attributes', attributes);
    return new ExtraVolume({ csi: { driver, attributes } });
  }

  /** @internal */
  public readonly _source: VolumeSource;

  private constructor(source: VolumeSource) {
    this._source = source;
  }
}
