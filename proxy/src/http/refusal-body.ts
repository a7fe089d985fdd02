import type { Route } from '../config/index.js';
import { meaningOf, type Denial, type Reason } from '../pipeline/reason.js';

/** Of MCP 2026-07-28; those of its schema that a gateway says. */
const HEADER_MISMATCH = -32_020;
const UNSUPPORTED_VERSION = -32_022;
/** JSON-RPC 2.0 5.1. */
const INVALID_REQUEST = -32_600;
const INTERNAL_ERROR = -32_603;
/** What MCP's SDKs say of a session that is gone, and of what else a server refuses. */
const SESSION_GONE = -32_001;
const REFUSED = -32_000;

const CODES: Partial<Record<Reason, number>> = {
  mcp_version_refused: UNSUPPORTED_VERSION,
  mcp_header_missing: HEADER_MISMATCH,
  mcp_header_mismatch: HEADER_MISMATCH,
  mcp_body_malformed: INVALID_REQUEST,
  mcp_session_gone: SESSION_GONE,
  internal_error: INTERNAL_ERROR,
};

/** The `code` of a refusal that is a JSON-RPC error. */
export const rpcCodeOf = (reason: Reason): number => CODES[reason] ?? REFUSED;

/** Whether OAuth says what the body is: of a challenge, and of what an error of RFC 6750 3.1 stands for. */
export const isOAuthError = ({ reason, error }: Pick<Denial, 'reason' | 'error'>): boolean =>
  error !== undefined || meaningOf(reason).status === 401;

/**
 * The body of a refusal. Clients of MCP tell by its JSON-RPC error whether to try again in another way, or not at all;
 * those of OAuth read `error` (RFC 6749 5.2).
 * @param rpcId of the request that is refused; unknown: null (JSON-RPC 2.0 5)
 */
export function refusalBody(
  denial: Denial,
  route: Route | undefined,
  rpcId: string | number | undefined,
): string {
  const { reason, error, data } = denial;
  const { say } = meaningOf(reason);
  if (route?.kind !== 'mcp' || isOAuthError(denial))
    return JSON.stringify({ error: error ?? reason, error_description: say });
  return JSON.stringify({
    jsonrpc: '2.0',
    id: rpcId ?? null,
    error: { code: rpcCodeOf(reason), message: say, data: { reason, ...data } },
  });
}
