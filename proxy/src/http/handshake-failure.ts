/** Why a TLS handshake failed, as far as the server can tell. */
export type HandshakeFailure =
  /** What came is no TLS. */
  | 'not_tls'
  /** No version of TLS that both sides speak. */
  | 'version'
  /** No cipher, curve, signature algorithm or protocol that both sides have. */
  | 'parameters'
  /** The client does not take our certificate: it has expired, has another name, or is nobody's that it trusts. */
  | 'certificate_refused'
  /** It was not over within limits.headersTimeoutSeconds. */
  | 'timeout'
  /** The client left; so do the checks of a load balancer that only connects. */
  | 'client_gone'
  | 'other';

/** What OpenSSL says of bytes that are no TLS: HTTP, the PROXY protocol, or anything. */
const NOT_TLS = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST)$/;

/** Codes of Node, which are OpenSSL's reasons in capitals; an alert is what the client said (RFC 8446 6.2). */
const CAUSES: readonly (readonly [RegExp, HandshakeFailure])[] = [
  [NOT_TLS, 'not_tls'],
  [/_ALERT_(?:UNKNOWN_CA|(?:\w+_)?CERTIFICATE(?:_\w+)?)$/, 'certificate_refused'],
  [/_UNSUPPORTED_PROTOCOL$|_VERSION_TOO_LOW$|_ALERT_PROTOCOL_VERSION$/, 'version'],
  [/_NO_(?:SHARED|SUITABLE|APPLICATION|PROTOCOLS)\w*$|_ALERT_HANDSHAKE_FAILURE$/, 'parameters'],
  [/^ERR_TLS_HANDSHAKE_TIMEOUT$/, 'timeout'],
  [/^(?:ECONNRESET|EPIPE|ECONNABORTED)$/, 'client_gone'],
];

export const handshakeFailure = ({ code = '' }: NodeJS.ErrnoException): HandshakeFailure =>
  CAUSES.find(([pattern]) => pattern.test(code))?.[1] ?? 'other';
