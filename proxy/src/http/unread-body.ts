import type { IncomingMessage } from 'node:http';

/**
 * Whether a body announced by the header block may still be on its way. An answer that does not wait for it ends the connection: nobody keeps the pace of what nobody reads.
 * `message.complete` alone says no of every request while its header block is handled.
 */
export function hasUnreadBody({ complete, headers }: IncomingMessage): boolean {
  return !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0);
}
