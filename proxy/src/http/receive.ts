import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { HeaderFields, Received } from '../pipeline/evidence.js';
import { headerFields } from './header-fields.js';
import { readBody } from './read-body.js';
import { networkOf, plainAddress, type TrustedPeers } from './trusted-peers.js';

/** @param now seconds since the epoch */
export function receive(message: IncomingMessage, id: string, now: number, peers: TrustedPeers): Received {
  const headers = headerFields(message.rawHeaders);
  const peer = plainAddress(message.socket.remoteAddress ?? 'unknown');
  const fromTrustedPeer = peers.has(peer);
  const address = fromTrustedPeer ? forwardedFor(headers, peers) ?? peer : peer;
  return {
    id,
    receivedAt: now,
    address,
    network: networkOf(address),
    fromTrustedPeer,
    version: message.httpVersion,
    method: message.method ?? '',
    target: message.url ?? '',
    headers,
    facts: {},
    reply: {},
    tlsCertificate: () => (message.socket as Partial<TLSSocket>).getPeerX509Certificate?.()?.raw,
    readBody: (limits) => readBody(message, limits),
  };
}

/** The last address of X-Forwarded-For that no trusted peer has: what stands before it is the client's own word. */
function forwardedFor(headers: HeaderFields, peers: TrustedPeers): string | undefined {
  const hops = headers.raw.flatMap((name, i) => (i % 2 === 0 && name.toLowerCase() === 'x-forwarded-for' ? headers.raw[i + 1]!.split(',') : [])).map((hop) => plainAddress(hop.trim()));
  const client = hops.findLast((hop) => !peers.has(hop));
  return client !== undefined && isIP(client) !== 0 ? client : undefined;
}
