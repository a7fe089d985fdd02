import { hash } from 'node:crypto';

/** RFC 8705 3.1: base64url SHA-256 of the DER encoding. */
export const certificateThumbprint = (der: Buffer): string => hash('sha256', der, 'base64url');

/** RFC 9440 2: `Client-Cert: :<base64 of DER>:`, an RFC 8941 byte sequence; `undefined` for anything else. */
export function readClientCert(field: string): Buffer | undefined {
  const text = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(field)?.[1];
  return text === undefined || text.length % 4 !== 0 ? undefined : Buffer.from(text, 'base64');
}
