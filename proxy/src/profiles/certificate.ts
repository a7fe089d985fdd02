import { certificateThumbprint, readClientCert, readForwardedClientCert } from '../checks/certificate.js';
import type { Received } from '../pipeline/evidence.js';

/** Thumbprint of the certificate that the TLS connection's client holds. */
export function fromTls(request: Received): string | undefined {
  const der = request.tlsCertificate();
  return der === undefined ? undefined : certificateThumbprint(der);
}

/**
 * Thumbprint of the certificate that a trusted peer, which ended TLS, vouches for (RFC 9440 3); nobody else's
 * field is read.
 */
export function fromHeader(request: Received): string | undefined {
  if (!request.fromTrustedPeer || request.headers.repeated('client-cert')) return undefined;
  const der = readClientCert(request.headers.get('client-cert') ?? '');
  return der === undefined ? undefined : certificateThumbprint(der);
}

/** The same, as Envoy says it. */
export function fromForwardedClientCert({ fromTrustedPeer, headers }: Received): string | undefined {
  if (!fromTrustedPeer || headers.repeated('x-forwarded-client-cert')) return undefined;
  return readForwardedClientCert(headers.get('x-forwarded-client-cert') ?? '');
}
