/** What a trusted peer says about the request that it passes on: X-Forwarded-For, or Forwarded (RFC 7239). */
import { isIP } from 'node:net';
import type { Config } from '../config/index.js';
import type { Forwarded, HeaderFields } from '../pipeline/evidence.js';
import { plainAddress, type TrustedPeers } from './trusted-peers.js';

/** One hop: who it got the request from, and where its client thought to be. */
interface Hop {
  /** A node of RFC 7239 6, as it was written. */
  readonly node: string;
  readonly host?: string | undefined;
  readonly proto?: string | undefined;
}

/**
 * The client is the last hop that is no trusted peer's: what stands before it is the client's own word. A hop that
 * hides its address (`unknown`, `_name`; RFC 7239 6.2, 6.3) leaves the client unknown; one that cannot be read refuses
 * the request, since nobody can say who stands behind it. Only the field that the config names is looked at: a front
 * that writes the other one passes this one on as its client made it.
 */
export function readForwarded(
  headers: HeaderFields,
  peers: TrustedPeers,
  field: Config['forwardedHeader'],
): Forwarded | undefined {
  const name = field === 'forwarded' ? 'forwarded' : 'x-forwarded-for';
  if (headers.get(name) === undefined) return undefined;
  const lines = headers.repeated(name) ? linesOf(headers, name) : [headers.get(name)!];
  const hops = field === 'forwarded' ? elementsOf(lines) : addressesOf(lines);
  if (hops === undefined) return { problem: `${name} is malformed` };
  for (let i = hops.length - 1; i >= 0; i--) {
    const { node, host, proto } = hops[i]!;
    const address = addressOf(node);
    if (address === undefined) return { problem: `${name}: ${JSON.stringify(node)} is no address` };
    if (address !== HIDDEN && peers.has(address)) continue;
    return { client: address === HIDDEN ? undefined : address, host, proto };
  }
  return undefined;
}

const linesOf = ({ raw }: HeaderFields, name: string): string[] =>
  raw.flatMap((each, i) => (i % 2 === 0 && each.toLowerCase() === name ? [raw[i + 1]!] : []));

/** RFC 9110 5.6.1: members of a list may be empty. */
const addressesOf = (lines: readonly string[]): Hop[] =>
  lines
    .flatMap((line) => line.split(','))
    .map((node) => ({ node: node.trim() }))
    .filter(({ node }) => node !== '');

const HIDDEN = Symbol('hidden');
/** RFC 7239 6.1: an address with a port, IPv6 in brackets; X-Forwarded-For also has IPv6 without. */
const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(\d{1,5}|_[A-Za-z0-9._-]+))?$/;
const MAX_PORT = 65_535;
const OBFUSCATED = /^(?:unknown|_[A-Za-z0-9._-]+)(?::(?:\d{1,5}|_[A-Za-z0-9._-]+))?$/i;

/** Without its port, which proves nothing; `undefined`: it is none. A zone (`%eth0`) is of another machine. */
function addressOf(node: string): string | typeof HIDDEN | undefined {
  const [, v6, v4, port = '0'] = WITH_PORT.exec(node) ?? [];
  if (v6 === undefined && v4 === undefined && OBFUSCATED.test(node)) return HIDDEN;
  const address = v6 ?? v4 ?? node;
  const isAddress = v6 === undefined ? isIP(address) !== 0 && !address.includes('%') : isIP(address) === 6;
  return isAddress && !(Number(port) > MAX_PORT) ? plainAddress(address) : undefined;
}

/**
 * RFC 7239 4: `name=value`, quoted where it has to be, and one delimiter. Fronts that do not quote `for=[::1]:80` are
 * understood.
 */
const PAIR = /[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\[^])*)"|([^\s",;=\\]+))[\t ]*(;|,|$)/y;
const EMPTY = /[\t ]*(?:,|$)/y;

/** `undefined`: two readers could disagree about them. A quote that one line opens does not end in the next. */
function elementsOf(lines: readonly string[]): Hop[] | undefined {
  const hops: Hop[] = [];
  for (const line of lines) {
    let element = new Map<string, string>();
    for (let at = 0; at < line.length;) {
      EMPTY.lastIndex = PAIR.lastIndex = at;
      if (element.size === 0 && EMPTY.test(line)) {
        at = EMPTY.lastIndex;
        continue;
      }
      const pair = PAIR.exec(line);
      const name = pair?.[1]!.toLowerCase();
      if (pair === null || element.has(name!)) return undefined;
      element.set(name!, pair[2]?.replace(/\\([^])/g, '$1') ?? pair[3]!);
      at = PAIR.lastIndex;
      if (pair[4] === ';' && at < line.length) continue;
      hops.push(hopOf(element));
      element = new Map();
    }
  }
  return hops;
}

/** Who does not say for whom it speaks hides it. */
const hopOf = (element: ReadonlyMap<string, string>): Hop => ({
  node: element.get('for') ?? 'unknown',
  host: element.get('host'),
  proto: element.get('proto'),
});
