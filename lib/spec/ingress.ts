/** An Ingress in front of a gateway, as plain data. */
import { IngressController } from '../values/ingress-controller';

export interface IngressSpec {
  readonly className: string;
  readonly controller: IngressController;
  readonly tlsSecretName?: string;
  /** The controller's own one. */
  readonly defaultCertificate: boolean;
  readonly insecurePlainHttp: boolean;
  /** Names; absent: every MCP route. */
  readonly routes?: readonly string[];
  /** The user's own. */
  readonly annotations: Readonly<Record<string, string>>;
}

export const schemeOf = ({ insecurePlainHttp }: IngressSpec) => (insecurePlainHttp ? 'http' : 'https');

/** A stream may be quiet that long; the token that asked for it ends it before. */
const QUIET_SECONDS = '3600';

/**
 * What the controller does otherwise: nginx ends an answer that is quiet for 60 seconds, and refuses a body of more
 * than 1 MiB.
 *
 * @param maxBodyBytes what the gateway takes
 */
export function ownAnnotations(
  { controller, insecurePlainHttp }: IngressSpec,
  maxBodyBytes: number,
): Record<string, string> {
  switch (controller) {
    case IngressController.NGINX:
      return {
        'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
        'nginx.ingress.kubernetes.io/proxy-read-timeout': QUIET_SECONDS,
        'nginx.ingress.kubernetes.io/proxy-send-timeout': QUIET_SECONDS,
        'nginx.ingress.kubernetes.io/proxy-body-size': String(maxBodyBytes),
        'nginx.ingress.kubernetes.io/ssl-redirect': String(!insecurePlainHttp),
      };
    case IngressController.TRAEFIK:
      return {
        'traefik.ingress.kubernetes.io/router.entrypoints': insecurePlainHttp ? 'web' : 'websecure',
        ...(insecurePlainHttp ? {} : { 'traefik.ingress.kubernetes.io/router.tls': 'true' }),
      };
    case IngressController.OTHER:
      return {};
  }
}
