import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { CERTIFICATE, certificateSpec } from '../manifests/certificate';
import { emit, isOurs } from '../manifests/k8s';
import { publicHosts, serviceHosts } from '../spec/exposure';
import { GatewaySpec } from '../spec/gateway-spec';
import { checked, DURATION, FLAG, instanceOf, listOf, optional, Shape, struct, TEXT } from '../support/kinds';
import { checkedAt, checkObjectName, refuse, say } from '../support/text';
import { duplicateViolations } from '../validation/duplicates';
import { AgentGateway } from './agent-gateway';

/** Properties of a `GatewayCertificate`. */
export interface GatewayCertificateProps {
  /** The gateway, which must have a `tlsSecretName`: cert-manager writes that Secret. */
  readonly gateway: AgentGateway;

  /** Name of the Issuer in the gateway's namespace, or of the ClusterIssuer. */
  readonly issuer: string;

  /**
   * Whether `issuer` is a ClusterIssuer.
   *
   * @default false - an Issuer
   */
  readonly clusterIssuer?: boolean;

  /**
   * Time a certificate is good for; at least 1 hour, as cert-manager wants it.
   *
   * @default - what cert-manager and the issuer agree on, often 90 days
   */
  readonly duration?: Duration;

  /**
   * Names that the certificate is good for, lower-case; a "*" may stand for the first label. Clients that dial
   * another name do not trust it.
   *
   * @default - the Service's names with its namespace, and the hosts of the gateway's https `publicOrigins`
   */
  readonly dnsNames?: string[];
}

const SHAPE: Shape<GatewayCertificateProps> = {
  gateway: instanceOf(AgentGateway),
  issuer: TEXT,
  clusterIssuer: optional(FLAG),
  duration: optional(DURATION),
  dnsNames: optional(listOf(TEXT)),
};
const PROPS = struct('GatewayCertificateProps', SHAPE);

/**
 * The certificate with which a gateway ends TLS itself, made and renewed by cert-manager: for the Service's
 * names and for the hosts of the https `publicOrigins`, with a P-256 key that is new each time. The gateway
 * follows a renewed one without a restart.
 *
 * @see https://cert-manager.io/docs/usage/certificate/
 */
export class GatewayCertificate extends Construct {
  constructor(scope: Construct, id: string, props: GatewayCertificateProps) {
    super(scope, id);
    const seconds = checkedAt(this.node.path, () => checkedSeconds(checked(props, PROPS)));
    const { gateway, issuer, clusterIssuer = false, dnsNames } = props;
    const meta = {
      name: gateway.serviceName,
      namespace: gateway.namespaceName,
      labels: gateway._spec().labels,
    };
    emit(this, 'Resource', CERTIFICATE, meta, () => ({
      spec: certificateSpec({
        secretName: gateway._spec().tlsSecretName,
        dnsNames: dnsNames ?? namesOf(gateway._spec()),
        issuer,
        clusterIssuer,
        seconds,
      }),
    }));
    this.node.addValidation({ validate: () => duplicateViolations(this, isOurs).map(say) });
    this.node.addValidation({
      validate: () =>
        gateway._spec().tlsSecretName !== undefined
          ? []
          : [
              say({
                where: 'gateway.tlsSecretName',
                want: 'must be given: it names the Secret that cert-manager writes',
                next: `for example tlsSecretName: "${gateway.serviceName}-tls"`,
              }),
            ],
    });
  }
}

const namesOf = (spec: GatewaySpec) => [...new Set([...serviceHosts(spec), ...publicHosts(spec)])];

/** RFC 1123, and the wildcard of RFC 6125. */
const DNS_NAME = /^(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** How long it lasts, once all that the props say has been checked. */
function checkedSeconds({ issuer, dnsNames, duration }: GatewayCertificateProps): number | undefined {
  checkObjectName('issuer', issuer);
  if (dnsNames !== undefined) checkNames(dnsNames);
  const seconds = duration?.toSeconds({ integral: false });
  if (seconds === undefined || (Number.isInteger(seconds) && seconds >= 3600)) return seconds;
  return refuse({
    where: 'duration',
    want: 'must be whole seconds, and at least 1 hour',
    got: duration!.toHumanString(),
  });
}

function checkNames(names: string[]): void {
  const wrong = names.findIndex(
    (name, at) => !DNS_NAME.test(name) || name.length > 253 || names.indexOf(name) < at,
  );
  if (names.length > 0 && wrong < 0) return;
  refuse({
    where: wrong < 0 ? 'dnsNames' : `dnsNames[${wrong}]`,
    want: 'must be one or more lower-case host names, each once; "*." may begin one',
    got: wrong < 0 ? names : names[wrong],
    next: 'for example ["gateway.example.com"]',
  });
}
