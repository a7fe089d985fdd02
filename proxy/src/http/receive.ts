import type { IncomingMessage } from 'node:http';
import type { Received } from '../pipeline/evidence.js';
import { headerFields } from './header-fields.js';

/** @param now seconds since the epoch */
export function receive(message: IncomingMessage, id: string, now: number): Received {
  return {
    id,
    receivedAt: now,
    address: message.socket.remoteAddress ?? 'unknown',
    method: message.method ?? '',
    target: message.url ?? '',
    headers: headerFields(message.rawHeaders),
    facts: {},
  };
}
