import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Config } from '../config/index.js';
import type { HeaderFields, Received } from '../pipeline/evidence.js';
import type { BodyPool } from './body-pool.js';
import { streamOf, type ClientAnswer, type ClientMessage } from './exchange.js';
import { readForwarded } from './forwarded.js';
import { headerFields } from './header-fields.js';
import { readBody } from './read-body.js';
import { networkOf, plainAddress, type TrustedPeers } from './trusted-peers.js';

export interface Reception {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly now: number;
  readonly peers: TrustedPeers;
  readonly forwardedHeader: Config['forwardedHeader'];
  /** Where bodies are held that are read as a whole. */
  readonly bodies: BodyPool;
}

/** Of a client; without TLS it has no certificate. */
type Connection = Socket & Partial<Pick<TLSSocket, 'getPeerX509Certificate'>>;

export function receive(
  message: ClientMessage,
  response: ClientAnswer,
  { id, now, peers, forwardedHeader, bodies: pool }: Reception,
): Received {
  const stream = streamOf(message);
  const headers = fieldsOf(message.rawHeaders, stream);
  const connection: Connection = message.http2?.connection ?? message.socket;
  const peer = plainAddress(connection.remoteAddress ?? 'unknown');
  const fromTrustedPeer = peers.has(peer);
  const forwarded = fromTrustedPeer ? readForwarded(headers, peers, forwardedHeader) : undefined;
  const address = forwarded?.client ?? peer;
  const network = networkOf(address);
  return {
    id,
    receivedAt: now,
    address,
    network,
    fromTrustedPeer,
    forwarded,
    version: stream === undefined ? message.httpVersion : '2',
    method: message.method ?? '',
    target: message.url ?? '',
    headers,
    lacksFields: message.http2?.lacksFields ?? false,
    framing: framingOf(headers, stream),
    facts: {},
    reply: {},
    tlsCertificate: () => connection.getPeerX509Certificate?.()?.raw,
    readBody: (limits, caller) => readBody({ message, response, limits, pool, holder: { network, caller } }),
  };
}

const fieldsOf = (raw: readonly string[], stream: ReturnType<typeof streamOf>): HeaderFields =>
  headerFields(stream === undefined ? raw : http2Fields(raw));

/** How its body is delimited: chunked, or this many bytes; undefined: it has none. */
function framingOf(headers: HeaderFields, stream: ReturnType<typeof streamOf>): string | undefined {
  if (headers.get('transfer-encoding') !== undefined) return 'chunked';
  return headers.get('content-length') ?? (stream?.endAfterHeaders === false ? 'chunked' : undefined);
}

/**
 * Pseudo-header fields are no fields (RFC 9113 8.3), but `:authority` is what Host says (8.3.1); where both
 * stand they must agree, and one is left.
 */
function http2Fields(raw: readonly string[]): string[] {
  const fields: string[] = [];
  let authority: string | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i] === ':authority') authority = raw[i + 1]!;
    if (raw[i]!.startsWith(':')) continue;
    if (raw[i] === 'host' && raw[i + 1] === authority) continue;
    fields.push(raw[i]!, raw[i + 1]!);
  }
  return authority === undefined ? fields : ['host', authority, ...fields];
}
