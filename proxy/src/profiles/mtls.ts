import { hash } from 'node:crypto';
import type { Clock } from '../clock.js';
import { isString } from '../checks/claims.js';
import type { MtlsAuth } from '../config/index.js';
import { readCredentials, schemeRefused } from '../http/authorization.js';
import type { Caller, Routed } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import type { Stage } from '../pipeline/stage.js';
import {
  checkAccessToken,
  confirmation,
  type AccessTokenContext,
  type CheckedToken,
} from './access-token.js';
import { fromForwardedClientCert, fromHeader, fromTls } from './certificate.js';

export type MtlsContext = AccessTokenContext & { readonly auth: MtlsAuth; readonly clock: Clock };

/** Where a client's certificate is seen, and what an operator reads where it is not. */
const SOURCES = {
  tls: { certificateOf: fromTls, none: 'none on the connection' },
  header: { certificateOf: fromHeader, none: 'no one Client-Cert of a trusted peer in the form of RFC 9440' },
  xfcc: {
    certificateOf: fromForwardedClientCert,
    none: 'no one X-Forwarded-Client-Cert of a trusted peer with one element that has Hash or Cert',
  },
} as const;

/**
 * RFC 8705 3: an access token that is good only with the client certificate it names (`cnf.x5t#S256`). It may
 * be used again: the handshake is the proof.
 */
export function mtls(context: MtlsContext): Stage<Routed, Caller> {
  const { certificateOf, none } = SOURCES[context.auth.certificateFrom];
  return (request) => {
    const credentials = readCredentials(request.headers);
    if (credentials === undefined) return deny('credentials_missing');
    if (credentials instanceof Denial) return credentials;
    if (credentials.scheme !== 'bearer') return schemeRefused(credentials, 'Bearer');

    const { token } = credentials;
    const certificate = certificateOf(request);
    const bind = (checked: CheckedToken | Denial): Caller | Denial => {
      if (checked instanceof Denial) return checked;
      const { claims, validity } = checked;
      const cnf = confirmation(claims);
      const wanted = cnf['x5t#S256'];
      if (!isString(wanted)) return deny('token_not_bound', 'no cnf.x5t#S256');
      if (cnf.jkt !== undefined)
        return deny('token_bound', 'it names a DPoP key too, which this profile does not check');
      if (certificate === undefined) return deny('certificate_missing', none);
      request.facts.certificate = certificate;
      if (certificate !== wanted) return deny('certificate_mismatch'); // RFC 8705 3
      return {
        kind: 'known',
        by: 'mtls',
        identity: certificate,
        scopes: checked.scopes,
        claims,
        accessToken: token,
        proofUse: undefined,
        validity,
      };
    };
    const checked = checkAccessToken(
      token,
      hash('sha256', token, 'base64url'),
      context.clock(),
      request,
      context,
    );
    return checked instanceof Promise ? checked.then(bind) : bind(checked);
  };
}
