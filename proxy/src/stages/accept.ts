import type { Config } from '../config/index.js';
import { canonicalPath, isHost, normalisePercent, parseOrigin } from '../checks/uri.js';
import type { LocalRateLimiter } from '../limit/rate-limiter.js';
import type { Accepted, HeaderFields, Received } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';

/**
 * Fields that may stand once: a second one means that two readers of the request may see two requests (RFC 9110
 * 5.3, RFC 9112 3.2, 6.3).
 */
const SINGLETONS = [
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'origin',
  'mcp-session-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
];

/** Fields that a decision is made by, beside all of `Mcp-*`. */
const CHECKED = new Set([
  ...SINGLETONS,
  'authorization',
  'dpop',
  'expect',
  'content-encoding',
  'client-cert',
  'forwarded',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/** What is counted of an address before anything is known of its requests. */
export interface AddressLimits {
  /** All of them; absent: no bound. */
  readonly requests: LocalRateLimiter | undefined;
  /** Those that were refused. */
  readonly refusals: LocalRateLimiter;
}

/**
 * Lets in only what every reader of HTTP reads the same way, and turns away an address that keeps being refused
 * before any cryptography. Authorization and DPoP are the profiles' matter.
 */
export const accept =
  (
    { limits, publicOrigins, originFrom, forwardedHeader, publicPathPrefix = '' }: Config,
    addressLimits: AddressLimits,
  ): Stage<Received, Accepted> =>
  (received) => {
    const denial = addressDenial(received, addressLimits) ?? requestDenial(received, limits);
    if (denial !== undefined) return denial;

    const parts = splitTarget(received.target);
    if (parts === undefined) return deny('bad_path');
    const { path, query } = parts;
    // OAuth 2.1 5.1.1, MCP: never a token in the URI, where logs and Referer would keep it.
    // RFC 9449 7.2: a token has one way to come, and that is not the query.
    if (/[?&]access_token=/i.test(normalisePercent(query)))
      return deny('credentials_ambiguous', 'access_token in the query');

    const isForwarded = originFrom === 'forwarded' && received.fromTrustedPeer;
    const origins = isForwarded ? forwardedOrigins(received, forwardedHeader, publicOrigins) : publicOrigins;
    if (origins instanceof Denial) return origins;
    received.reply.origin = origins[0]!;
    return grow(received, { path, query, origins, publicPath: publicPathPrefix + path });
  };

/** An address that has too many refusals, or requests. */
function addressDenial({ network }: Received, { requests, refusals }: AddressLimits): Denial | undefined {
  const unrefused = refusals.peek(network);
  const permit = unrefused.allowed ? (requests?.take(network) ?? unrefused) : unrefused;
  if (permit.allowed) return undefined;
  return deny('address_limited', undefined, { retryAfterSeconds: permit.retryAfterSeconds });
}

const requestDenial = (received: Received, limits: Config['limits']): Denial | undefined =>
  sizeDenial(received, limits) ?? headDenial(received) ?? framingDenial(received, limits);

/** A version that there is, and no more bytes and fields than the config allows. */
function sizeDenial({ headers, target, version }: Received, limits: Config['limits']): Denial | undefined {
  // node:http also takes a line without a version, and versions that there are not.
  if (version !== '1.1' && version !== '1.0' && version !== '2')
    return deny('malformed_request', `HTTP/${version}`);
  if (target.length > limits.maxUrlBytes)
    return deny('url_too_long', `got ${target.length}, at most ${limits.maxUrlBytes} bytes`);
  if (headers.raw.length / 2 > limits.maxHeaderCount)
    return deny('too_many_headers', `got ${headers.raw.length / 2}, at most ${limits.maxHeaderCount}`);
  // Only a client that took our SETTINGS in is held to them before this; of HTTP/1.1 node:http bounds the bytes of
  // the header block itself.
  const bytes = version === '2' ? fieldBytes(headers.raw) : 0;
  return bytes > limits.maxHeaderBytes
    ? deny('too_many_headers', `got ${bytes}, at most ${limits.maxHeaderBytes} bytes`)
    : undefined;
}

/** Fields that two readers could understand differently. */
function headDenial({ headers, version, lacksFields, forwarded }: Received): Denial | undefined {
  if (forwarded?.problem !== undefined) return deny('malformed_request', forwarded.problem);
  if (lacksFields) return deny('malformed_request', 'a field is malformed'); // RFC 9113 8.2.1
  if (version === '2' && headers.repeated('host'))
    return deny('malformed_request', ':authority and Host differ'); // RFC 9113 8.3.1
  const repeated = SINGLETONS.find((name) => headers.repeated(name));
  if (repeated !== undefined) return deny('header_repeated', repeated);
  const host = headers.get('host');
  if (host === undefined) return deny('malformed_request', 'no Host'); // RFC 9112 3.2
  if (!isHost(host)) return deny('malformed_request', 'Host is no authority');
  const expected = headers.get('expect');
  if (expected !== undefined && expected.toLowerCase() !== '100-continue')
    return deny('expectation_failed', expected); // RFC 9110 10.1.1
  const listed = checkedAndListed(headers);
  return listed === undefined ? undefined : deny('malformed_request', `Connection names ${listed}`);
}

/** Where the request ends, and that it stays HTTP. */
function framingDenial({ headers, version }: Received, limits: Config['limits']): Denial | undefined {
  const coding = headers.get('transfer-encoding');
  const length = headers.get('content-length');
  if (
    coding !== undefined &&
    (coding.toLowerCase() !== 'chunked' || length !== undefined || version === '1.0')
  ) {
    // RFC 9112 6.1, 6.3
    const what = 'Transfer-Encoding other than chunked, beside Content-Length, or in HTTP/1.0';
    return deny('malformed_request', what);
  }
  // RFC 9110 7.8: nothing here speaks another protocol.
  if (headers.get('upgrade') !== undefined) return deny('upgrade_refused', headers.get('upgrade'));
  return length !== undefined && Number(length) > limits.maxBodyBytes
    ? deny('body_too_large', `got ${length}, at most ${limits.maxBodyBytes} bytes`)
    : undefined;
}

/** Of origin-form only (RFC 9112 3.2.1): absolute-form would bring a second authority into play. */
function splitTarget(target: string): { readonly path: string; readonly query: string } | undefined {
  const mark = target.indexOf('?');
  const path = canonicalPath(mark === -1 ? target : target.slice(0, mark));
  const query = mark === -1 ? '' : target.slice(mark);
  if (path === undefined || !/^[\x21\x23-\x5b\x5d-\x7e]*$/.test(query) || query.includes('#'))
    return undefined;
  return { path, query };
}

/**
 * A field that `Connection` lists is for this hop alone (RFC 9110 7.6.1): what is checked here would be missing at the
 * backend, which would then decide about another request.
 */
function checkedAndListed(headers: HeaderFields): string | undefined {
  if (headers.get('connection') === undefined) return undefined;
  return headers.raw
    .flatMap((name, i) =>
      i % 2 === 0 && name.toLowerCase() === 'connection' ? headers.raw[i + 1]!.toLowerCase().split(',') : [],
    )
    .map((option) => option.trim())
    .find((option) => CHECKED.has(option) || option.startsWith('mcp-'));
}

/** RFC 9113 6.5.2: 32 more than its letters for each field. */
const fieldBytes = (raw: readonly string[]): number => raw.reduce((sum, text) => sum + text.length + 16, 0);

/**
 * The one of our origins that a trusted peer says was asked for; all of them where it does not say: what an htu must
 * begin with (RFC 9449 4.3 item 9) is never a client's to choose. A peer may hand on what a client wrote into Host, so
 * its word only chooses among the origins that are configured (RFC 9110 15.5.20).
 */
function forwardedOrigins(
  { headers, forwarded }: Received,
  field: Config['forwardedHeader'],
  publicOrigins: readonly string[],
): readonly string[] | Denial {
  const said =
    field === 'forwarded'
      ? forwarded
      : { host: headers.get('x-forwarded-host'), proto: headers.get('x-forwarded-proto') };
  if (said?.host === undefined) return publicOrigins;
  if (
    field !== 'forwarded' &&
    (headers.repeated('x-forwarded-proto') || headers.repeated('x-forwarded-host'))
  )
    return deny('host_refused', 'more than one X-Forwarded-Proto or -Host');
  const asked = parseOrigin(`${said.proto ?? ''}://${said.host}`);
  const origin = publicOrigins.find((ours) => ours === asked);
  return origin === undefined
    ? deny('host_refused', `got ${asked ?? 'no origin'}, want one of ${publicOrigins.join(', ')}`)
    : [origin];
}
