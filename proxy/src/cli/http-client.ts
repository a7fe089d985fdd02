/** One request of an operator, and what its answer means. */
import http from 'node:http';
import https from 'node:https';
import { performance } from 'node:perf_hooks';
import { challengeParam } from '../http/challenge.js';
import { REASONS, type Reason } from '../pipeline/reason.js';
import { ADVICE } from './advice.js';
import { CliError } from './command.js';
import { readText } from './key-files.js';

/** All of a request and its answer; an event stream may go on for ever. */
const TIMEOUT_MS = 30_000;
/** What is kept of a body. */
const MAX_BODY_BYTES = 2 ** 20;

/** Of every command that sends requests. */
export const REQUEST_OPTIONS = {
  method: { type: 'string' },
  data: { type: 'string' },
  header: { type: 'string', multiple: true },
  cacert: { type: 'string' },
} as const;

export interface OutgoingRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** PEM of the roots to trust instead of Node's. */
  readonly ca: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Up to a MiB; empty where it was not waited for. */
  readonly body: string;
  /** From the first byte sent to the header block of the answer. */
  readonly ms: number;
}

interface RequestValues {
  readonly data?: string | undefined;
  readonly header?: readonly string[] | undefined;
  readonly cacert?: string | undefined;
}

/** @param data its text, or `@FILE` */
export function requestParts({ data, header = [], cacert }: RequestValues) {
  const headers: Record<string, string> = {};
  for (const line of header) {
    const [, name = '', value = ''] = /^([^:\s]+):\s*([^\r\n]*)$/.exec(line) ?? [];
    if (name === '') throw new CliError('--header', 'must be "Name: value"', JSON.stringify(line));
    headers[name.toLowerCase()] = value;
  }
  const body =
    data === undefined
      ? undefined
      : Buffer.from(data.startsWith('@') ? readText(data.slice(1), 'data') : data);
  if (body !== undefined) headers['content-type'] ??= 'application/json';
  return { headers, body, ca: cacert === undefined ? undefined : readText(cacert, 'cacert') };
}

/** @param wantsBody false: an answer below 400 is let go after its header block */
export function send(outgoing: OutgoingRequest, wantsBody: boolean): Promise<Answer> {
  const { url, method, headers, body, ca } = outgoing;
  const began = performance.now();
  const { request } = url.protocol === 'https:' ? https : http;
  const options = {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-length': body.length }) },
    agent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(ca === undefined ? {} : { ca }),
  };
  return new Promise((resolve, reject) => {
    const out = request(url, options, (answer) => {
      const { statusCode: status = 0, headers: fields } = answer;
      const ms = Math.round(performance.now() - began);
      const done = (text: string) => resolve({ status, headers: fields, ms, body: text });
      if (status >= 400 || wantsBody) return collect(answer, done);
      answer.destroy();
      done('');
    });
    out.on('error', (cause: NodeJS.ErrnoException) => {
      const want = `must answer within ${TIMEOUT_MS / 1000} s`;
      reject(new Error(`${url.origin}: ${want}, got ${cause.message}`, { cause }));
    });
    out.end(body);
  });
}

/** What has come when the stream ends, breaks or has filled the room: that is what there is. */
function collect(answer: http.IncomingMessage, done: (text: string) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const end = () => {
    answer.destroy();
    done(Buffer.concat(chunks).toString('utf8', 0, Math.min(bytes, MAX_BODY_BYTES)));
  };
  answer.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_BODY_BYTES) end();
  });
  answer.on('end', end);
  answer.on('error', end);
}

/** Why the gateway refused, as it told the client. Some reasons are told in the same words: then all of those. */
export interface Refusal {
  readonly error: string | undefined;
  readonly description: string | undefined;
  readonly reasons: readonly Reason[];
}

/** Undefined for an answer that is no refusal of a gateway. */
export function refusalOf({ status, headers, body }: Answer): Refusal | undefined {
  if (status < 400) return undefined;
  const challenge = headers['www-authenticate'] ?? '';
  const told = bodyOf(body);
  const error = challengeParam(challenge, 'error') ?? told.error;
  const description = challengeParam(challenge, 'error_description') ?? told.description;
  const named = told.reason ?? error;
  const reasons = (Object.keys(REASONS) as Reason[]).filter(
    (reason) =>
      REASONS[reason].status === status && (reason === named || REASONS[reason].say === description),
  );
  return { error, description, reasons };
}

interface Told {
  readonly error?: string;
  readonly description?: string;
  readonly reason?: string;
}

/** Of an OAuth error (RFC 6749 5.2), or of a JSON-RPC error as the gateway writes it. */
function bodyOf(body: string): Told {
  try {
    const { error, error_description: description } = (JSON.parse(body) ?? {}) as Record<string, unknown>;
    if (typeof error === 'string')
      return { error, ...(typeof description === 'string' ? { description } : {}) };
    const { message, data } = (error ?? {}) as { message?: unknown; data?: { reason?: unknown } };
    return {
      ...(typeof message === 'string' ? { description: message } : {}),
      ...(typeof data?.reason === 'string' ? { reason: data.reason } : {}),
    };
  } catch {
    return {};
  }
}

/** RFC 9449 8, 9: the nonce that a refused request is to be sent again with. */
export function nonceAsked(answer: Answer): string | undefined {
  const nonce = answer.headers['dpop-nonce'];
  const asks = answer.status === 401 && refusalOf(answer)?.error === 'use_dpop_nonce';
  return asks && typeof nonce === 'string' ? nonce : undefined;
}

/** For whoever reads why. */
export const adviceLines = (reasons: readonly Reason[]): string[] =>
  reasons.flatMap((reason) => [
    `reason: ${reason}`,
    `clause: ${ADVICE[reason].clause}`,
    `next: ${ADVICE[reason].next}`,
  ]);
