import { hash } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { McpRoute } from '../config/index.js';
import type { UpstreamRequest } from '../pipeline/evidence.js';
import { deny, type Denial } from '../pipeline/reason.js';
import type { BackendWatch } from './backend-watch.js';
import type { Outcome, Upstream } from './upstream.js';

/** Where one request goes. */
export interface Pick {
  readonly upstream: Upstream;
  readonly request: UpstreamRequest;
  /**
   * What the client knows a session by that this backend begins: with the tag of the endpoint that has it, and
   * of its owner.
   */
  readonly nameSession: ((id: string) => string) | undefined;
  /** How it went: what fails again and again is left out for a while. */
  readonly report: (outcome: Outcome) => void;
}

export interface Endpoints {
  pick(request: UpstreamRequest): Pick | Denial;
  close(): void;
}

const SESSION = 'mcp-session-id';
const TAG_LENGTH = 8;

export interface EndpointsOptions {
  readonly outlier: McpRoute['backend']['outlier'];
  readonly now: Clock;
  readonly watch: BackendWatch;
}

interface Member {
  readonly upstream: Upstream;
  readonly tag: string;
  open: number;
  failures: number;
  /** Seconds since the epoch. */
  ejectedUntil: number;
}

/** One backend: everything goes there. */
export function single(upstream: Upstream, watch: BackendWatch): Endpoints {
  const report = (outcome: Outcome) => void watch.saw(upstream.backend, outcome);
  return {
    pick: (request) => ({ upstream, request, nameSession: request.nameSession, report }),
    close: () => upstream.close(),
  };
}

/**
 * Several endpoints of one backend. A new session goes to the one with the fewest open requests of those that
 * work; when none works, all are tried. A session that began stays: it lives in one endpoint's memory, and
 * nobody else could go on with it.
 */
export function several(
  upstreams: readonly Upstream[],
  { outlier, now, watch }: EndpointsOptions,
): Endpoints {
  const members = upstreams.map((upstream): Member => ({
    upstream,
    tag: tagOf(upstream.backend),
    open: 0,
    failures: 0,
    ejectedUntil: 0,
  }));
  let turns = 0;
  const idlest = (): Member => {
    const working = members.filter(({ ejectedUntil }) => ejectedUntil <= now());
    const candidates = working.length === 0 ? members : working;
    turns += 1; // members with the same load take turns
    return candidates
      .map((_, i) => candidates[(i + turns) % candidates.length]!)
      .reduce((best, member) => (member.open < best.open ? member : best));
  };
  const toMember = (member: Member, request: UpstreamRequest): Pick => {
    member.open += 1;
    const { nameSession = (id: string) => id } = request;
    return {
      upstream: member.upstream,
      request,
      nameSession: (id) => nameSession(`${member.tag}.${id}`),
      report(outcome) {
        member.open -= 1;
        const worked = watch.saw(member.upstream.backend, outcome);
        if (worked === undefined) return;
        if (worked) {
          member.failures = 0;
          return;
        }
        member.failures += 1;
        if (member.failures < outlier.consecutiveFailures) return;
        member.failures = 0;
        member.ejectedUntil = now() + outlier.ejectSeconds;
      },
    };
  };
  return {
    pick(request) {
      const at = request.headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === SESSION);
      if (at === -1) return toMember(idlest(), request);
      const session = request.headers[at + 1]!;
      const member = members.find(({ tag }) => session.startsWith(`${tag}.`));
      if (member === undefined) return deny('mcp_session_gone', 'no endpoint has this tag');
      return toMember(member, {
        ...request,
        headers: request.headers.with(at + 1, session.slice(TAG_LENGTH + 1)),
      });
    },
    close: () => {
      for (const { upstream } of members) upstream.close();
    },
  };
}

/** Says nothing about the endpoint to whoever does not know it. */
const tagOf = (backend: string): string => hash('sha256', backend, 'base64url').slice(0, TAG_LENGTH);
