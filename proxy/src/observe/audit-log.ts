import { closeSync, openSync, write, writeSync } from 'node:fs';
import type { Received } from '../pipeline/evidence.js';

/** Where audit lines go. `flush` returns when everything written so far is with the operating system. */
export interface AuditLog {
  write(record: Readonly<Record<string, unknown>>): void;
  flush(): void;
  close(): void;
}

const STDOUT = 1;
const MAX_VALUE = 200;
/** How long lines wait for company: one write for many is most of what an audit line costs. */
const GATHER_MS = 10;

/**
 * One JSON object a line. Lines are gathered for some milliseconds and written in one call, one call at a time.
 * JSON.stringify escapes controls, so no value can start a line of its own (log injection).
 */
export function openAuditLog(file: string | undefined): AuditLog {
  const fd = file === undefined ? STDOUT : openSync(file, 'a', 0o640);
  let pending: string[] = [];
  let writing = '';
  let scheduled = false;

  const drain = () => {
    scheduled = false;
    if (writing !== '' || pending.length === 0) return;
    writing = pending.join('');
    pending = [];
    push(Buffer.from(writing));
  };
  const push = (rest: Buffer) => write(fd, rest, (cause, written) => {
    if (cause === null && written < rest.length) return push(rest.subarray(written));
    if (cause?.code === 'EAGAIN') return void setTimeout(() => push(rest), 5);
    writing = '';
    drain();
  });

  return {
    write(record) {
      pending.push(`${JSON.stringify(record)}\n`);
      if (!scheduled) {
        scheduled = true;
        setTimeout(drain, GATHER_MS);
      }
    },
    flush() {
      const text = pending.join('');
      pending = [];
      if (text !== '') writeSync(fd, text);
    },
    close() {
      this.flush();
      if (fd !== STDOUT) closeSync(fd);
    },
  };
}

export interface Conclusion {
  readonly status: number;
  readonly reason: string;
  readonly detail?: string | undefined;
  readonly upstream?: string | undefined;
  readonly bytes: number;
  /** Why the answer ended early; absent: it is whole. */
  readonly ended?: string | undefined;
  readonly durationSeconds: number;
}

const cut = (value: string | undefined) => (value !== undefined && value.length > MAX_VALUE ? `${value.slice(0, MAX_VALUE)}…` : value);

/** An allow-list of fields: no header, token, proof or body has a way in. `undefined` fields do not appear. */
export function auditRecord(received: Received, c: Conclusion): Record<string, unknown> {
  const { facts } = received;
  const mark = received.target.indexOf('?');
  return {
    'time': new Date(received.receivedAt * 1000).toISOString(),
    'request.id': received.id,
    'client.address': received.address,
    'request.method': cut(received.method),
    // Without the query, where clients put secrets.
    'request.path': cut(mark === -1 ? received.target : received.target.slice(0, mark)),
    'route.name': facts.route,
    'response.status': c.status,
    'reason': c.reason,
    'detail': cut(c.detail),
    'would_deny': facts.wouldDeny,
    'jwt.iss': cut(facts.issuer),
    'jwt.sub': cut(facts.subject),
    'jwt.aud': cut(facts.audience),
    'jwt.jti': cut(facts.tokenId),
    'jwt.kid': cut(facts.keyId),
    'dpop.htm': cut(facts.htm),
    'dpop.htu': cut(facts.htu),
    'dpop.jti': cut(facts.proofId),
    'dpop.jkt': facts.jkt,
    'mtls.x5t#S256': facts.certificate,
    'mcp.method': cut(facts.mcpMethod),
    'mcp.name': cut(facts.mcpName),
    'upstream': c.upstream,
    'response.bytes': c.bytes,
    'complete': c.ended === undefined,
    'ended': c.ended,
    'duration_ms': Math.round(c.durationSeconds * 1e6) / 1e3,
  };
}
