import type { Reply } from '../pipeline/evidence.js';

/** What a page of an allowed Origin must be able to read: RFC 9449 7.1 and 8, MCP transports. */
const EXPOSED =
  'WWW-Authenticate, DPoP-Nonce, Retry-After, RateLimit-Policy, RateLimit, X-Request-Id, Mcp-Session-Id, ' +
  'MCP-Protocol-Version';

/** name, value … of the fields that belong to every answer of this request. */
export function replyHeaders({ dpopNonce, corsOrigin, rateLimit }: Reply): string[] {
  const headers: string[] = [];
  if (dpopNonce !== undefined) headers.push('DPoP-Nonce', dpopNonce);
  if (corsOrigin !== undefined)
    headers.push(
      'Access-Control-Allow-Origin',
      corsOrigin,
      'Access-Control-Expose-Headers',
      EXPOSED,
      'Vary',
      'Origin',
    );
  if (rateLimit !== undefined)
    headers.push('RateLimit-Policy', rateLimit.policy, 'RateLimit', rateLimit.state);
  return headers;
}
