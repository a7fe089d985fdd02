import { checkKey, checkObjectName } from '../support/text';

/** Certificates that a TLS backend is verified against, mounted as a file. Without one, Node's own roots are used. */
export class CaBundle {
  /** PEM certificates in a ConfigMap of the gateway's namespace. The key is `ca.crt` unless said otherwise. */
  public static fromConfigMap(name: string, key: string = 'ca.crt'): CaBundle {
    return new CaBundle('configMap', name, key);
  }

  /** PEM certificates in a Secret of the gateway's namespace, as cert-manager writes them. */
  public static fromSecret(name: string, key: string = 'ca.crt'): CaBundle {
    return new CaBundle('secret', name, key);
  }

  /** @internal */
  public readonly _kind: 'configMap' | 'secret';

  /** @internal */
  public readonly _name: string;

  /** @internal */
  public readonly _key: string;

  private constructor(kind: 'configMap' | 'secret', name: string, key: string) {
    this._kind = kind;
    this._name = checkObjectName('ca.name', name);
    this._key = checkKey('ca.key', key);
  }
}
