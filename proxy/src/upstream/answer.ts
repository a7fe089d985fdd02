import type { IncomingMessage } from 'node:http';
import { deny, type Denial } from '../pipeline/reason.js';

/**
 * Fields of a backend's answer that stay here: hop-by-hop (RFC 9110 7.6.1), its cookies and its name, and challenges, which speak of a
 * credential that the client does not have.
 */
const KEPT_BACK = new Set(['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authentication-info', 'te', 'trailer',
  'transfer-encoding', 'upgrade', 'set-cookie', 'server', 'x-powered-by', 'www-authenticate', 'dpop-nonce', 'x-request-id', 'alt-svc']);

/** name, value … as the client gets them. A Secret's answer carries its type and length, and is never cached. */
export function answerHeaders(answer: IncomingMessage, confidential: boolean): string[] {
  if (confidential) {
    const length = answer.headers['content-length'];
    return ['Content-Type', 'application/json', 'Cache-Control', 'no-store', ...(length === undefined ? [] : ['Content-Length', length])];
  }
  const listed = answer.headers.connection?.toLowerCase().split(',').map((name) => name.trim()) ?? [];
  const headers: string[] = [];
  const { rawHeaders } = answer;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!KEPT_BACK.has(name) && !listed.includes(name)) headers.push(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  return headers;
}

/** What the Kubernetes API said, mapped: its own text could name objects that the caller may not know of. */
export function confidentialAnswer(status: number): Denial | undefined {
  if (status === 200) return undefined;
  if (status === 404) return deny('secret_absent');
  if (status === 401 || status === 403) return deny('upstream_refused', `status ${status}`);
  return deny('upstream_failed', `status ${status}`);
}
