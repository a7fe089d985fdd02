import { hash } from 'node:crypto';

/** RFC 8705 3.1: base64url SHA-256 of the DER encoding. */
export const certificateThumbprint = (der: Buffer): string => hash('sha256', der, 'base64url');

/** RFC 9440 2: `Client-Cert: :<base64 of DER>:`, an RFC 8941 byte sequence; `undefined` for anything else. */
export function readClientCert(field: string): Buffer | undefined {
  const text = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(field)?.[1];
  return text === undefined || text.length % 4 !== 0 ? undefined : Buffer.from(text, 'base64');
}

/** `Key=value`, quoted where it has to be, and one delimiter. */
const XFCC_PAIR = /([A-Za-z]+)=(?:"((?:[^"\\]|\\[^])*)"|([^",;]*))(;|$)/y;

/** Whether a key stands twice, be it within quotes: those may be the client's, around what a front has appended. */
function isAmbiguous(field: string): boolean {
  const keys = Array.from(field.matchAll(/(?<![A-Za-z])(hash|cert)=/gi), ([, key]) => key!.toLowerCase());
  return new Set(keys).size < keys.length;
}

/**
 * The thumbprint of RFC 8705 3.1 in Envoy's `X-Forwarded-Client-Cert`: of `Hash`, which is the same in hexadecimal, of
 * `Cert`, or of both where they agree. One element only: of several a front that appends to what it gets has written
 * the last, and its client the others. `undefined` for anything else.
 *
 * @see https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
 */
export function readForwardedClientCert(field: string): string | undefined {
  if (isAmbiguous(field)) return undefined;
  const said = new Map<string, string>();
  for (let at = 0; at < field.length;) {
    XFCC_PAIR.lastIndex = at;
    const pair = XFCC_PAIR.exec(field);
    if (pair === null) return undefined;
    at = XFCC_PAIR.lastIndex;
    const name = pair[1]!.toLowerCase();
    if (name !== 'hash' && name !== 'cert') continue;
    said.set(name, pair[2] ?? pair[3]!);
  }
  const [digest, cert] = [said.get('hash'), said.get('cert')];
  const found = [
    ...(digest === undefined ? [] : [thumbprintOfHash(digest)]),
    ...(cert === undefined ? [] : [thumbprintOfPem(cert)]),
  ];
  return found.every((each) => each === found[0]) ? found[0] : undefined;
}

const thumbprintOfHash = (hex: string): string | undefined =>
  /^[0-9A-Fa-f]{64}$/.test(hex) ? Buffer.from(hex, 'hex').toString('base64url') : undefined;

/** RFC 7468, percent-encoded; one certificate. */
function thumbprintOfPem(encoded: string): string | undefined {
  let pem: string;
  try {
    pem = decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
  const body = /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)\n-----END CERTIFICATE-----\n?$/.exec(
    pem,
  )?.[1];
  const base64 = body?.replaceAll('\n', '');
  return base64 === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0
    ? undefined
    : certificateThumbprint(Buffer.from(base64, 'base64'));
}
