/** What cert-manager is asked for: a P-256 key that is new each time. */
import { asGiven } from './k8s';

export interface CertificateRequest {
  readonly secretName: string | undefined;
  readonly dnsNames: readonly string[];
  readonly issuer: string;
  readonly clusterIssuer: boolean;
  /** Absent: what cert-manager and the issuer agree on. */
  readonly seconds?: number;
}

export const CERTIFICATE = asGiven({ apiVersion: 'cert-manager.io/v1', kind: 'Certificate' });

export const certificateSpec = ({
  secretName,
  dnsNames,
  issuer,
  clusterIssuer,
  seconds,
}: CertificateRequest): object => ({
  secretName,
  dnsNames,
  issuerRef: {
    name: issuer,
    kind: clusterIssuer ? 'ClusterIssuer' : 'Issuer',
    group: 'cert-manager.io',
  },
  privateKey: { algorithm: 'ECDSA', size: 256, rotationPolicy: 'Always' },
  usages: ['digital signature', 'server auth'],
  ...(seconds === undefined ? {} : { duration: `${seconds}s` }),
});
