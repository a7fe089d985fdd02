import { deny, type Denial } from '../pipeline/reason.js';

/**
 * Fields of a backend's answer that stay here: hop-by-hop (RFC 9110 7.6.1), its cookies and its name, and challenges, which speak of a
 * credential that the client does not have.
 */
const KEPT_BACK = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'server',
  'x-powered-by',
  'www-authenticate',
  'dpop-nonce',
  'x-request-id',
  'alt-svc',
]);

export interface AnswerHeaders {
  /** name, value … as the client gets them. */
  readonly headers: string[];
  readonly length: string | undefined;
}

/**
 * Reads the raw lines once: Node's own object is made at its first use and costs more than all of this. A Secret's answer carries its type
 * and length alone, and is never cached.
 */
export function answerHeaders(
  raw: readonly string[],
  confidential: boolean,
  extra: readonly string[],
  nameSession: ((id: string) => string) | undefined,
): AnswerHeaders {
  const uncacheable = extra.includes('DPoP-Nonce');
  const limited = extra.includes('RateLimit');
  const cors = extra.includes('Access-Control-Allow-Origin');
  const headers: string[] = [];
  let length: string | undefined;
  let listed: string[] | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    const value = raw[i + 1]!;
    if (name === 'content-length') length = value;
    if (name === 'connection')
      listed = [
        ...(listed ?? []),
        ...value
          .toLowerCase()
          .split(',')
          .map((token) => token.trim()),
      ];
    if ((name === 'location' || name === 'content-location') && !/^\/(?!\/)/.test(value)) continue; // a name that only the backend's network knows
    if (
      !KEPT_BACK.has(name) &&
      !(uncacheable && name === 'cache-control') &&
      !(limited && name.startsWith('ratelimit')) &&
      !(cors && name.startsWith('access-control-'))
    )
      headers.push(
        raw[i]!,
        nameSession !== undefined && name === 'mcp-session-id' ? nameSession(value) : value,
      );
  }
  if (confidential)
    return {
      headers: [
        ...extra,
        'Content-Type',
        'application/json',
        'Cache-Control',
        'no-store',
        ...(length === undefined ? [] : ['Content-Length', length]),
      ],
      length,
    };
  headers.push(...extra);
  if (uncacheable) headers.push('Cache-Control', 'no-store');
  const dropped = listed?.filter(
    (token) => token !== 'keep-alive' && token !== 'close' && token !== 'content-length',
  );
  return {
    headers: dropped === undefined || dropped.length === 0 ? headers : without(headers, dropped),
    length,
  };
}

function without(headers: readonly string[], names: readonly string[]): string[] {
  return headers.filter((_, i) => !names.includes(headers[i - (i % 2)]!.toLowerCase()));
}

/** What the Kubernetes API said, mapped: its own text could name objects that the caller may not know of. */
export function confidentialAnswer(status: number): Denial | undefined {
  if (status === 200) return undefined;
  if (status === 404) return deny('secret_absent');
  if (status === 401 || status === 403) return deny('upstream_refused', `status ${status}`);
  return deny('upstream_failed', `status ${status}`);
}
