import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { AnswerFilter } from '../http/answer-filter.js';
import { beginAnswer, cutOff, flushHead, whenFinished, type ClientAnswer } from '../http/exchange.js';
import type { UpstreamRequest } from '../pipeline/evidence.js';
import type { AnswerHeaders } from './answer.js';
import { isBetweenEvents, isLineStart, START, tailAfter } from './event-tail.js';
import type { Ending } from './open-answers.js';

/** A backend's answer, as it comes, or after it was held. */
export type AnswerSource = Readable & Pick<IncomingMessage, 'statusCode' | 'headers' | 'complete'>;

/** What decides what of the body passes. */
export interface Filtering {
  readonly filter: AnswerFilter;
  /** What it let pass already. */
  readonly first: Buffer;
  /** Said to the client, as an event of its stream, where an answer ends since it cannot be read; absent: nothing. */
  readonly apology: string | undefined;
}

export interface Relay {
  /** Of the body, so far. */
  readonly bytes: () => number;
  /** A comment line, where the client has taken what there was and no event has come half; else nothing. */
  heartbeat(): void;
  /** Ends the answer before its backend does. */
  end(why: Ending): void;
}

export interface RelayEvents {
  /** A piece of the body came. */
  readonly flowing: () => void;
  /** Once. `why`: absent where the backend ended it. */
  readonly ended: (why: Ending | undefined) => void;
}

/** Time a client waits before it opens its stream again, if it has heard of no other. */
const RETRY_MS = 1_000;
/** A client that does not take the last words by then is left. */
const FAREWELL_MS = 5_000;
/** Endings after which there is nobody to say last words to, or nothing whole to add them to. */
const UNHEARD: readonly Ending[] = ['client_gone', 'client_stalled', 'backend_cut'];
/** HTML, server-sent events, 9.2.6: a line that begins with a colon is ignored. */
const HEARTBEAT = Buffer.from(':\n');

/**
 * A backend's answer to the client, piece by piece, with back-pressure: what one side does not take the other
 * is not asked for.
 */
export function relay(
  answer: AnswerSource,
  response: ClientAnswer,
  head: AnswerHeaders,
  { flowing, ended }: RelayEvents,
  filtering?: Filtering,
): Relay {
  const filter = filtering?.filter;
  let bytes = 0;
  let tail = START;
  let over = false;
  const finish = (why: Ending | undefined) => {
    if (over) return;
    over = true;
    ended(why);
  };
  const cut = () => {
    if (over) return;
    cutOff(response); // the client must see it, not a clean end of half an answer
    finish('backend_cut');
  };
  const send = (piece: Buffer) => {
    bytes += piece.length;
    tail = tailAfter(tail, piece);
    if (response.write(piece)) filter?.taken();
    else answer.pause();
  };
  const sendFiltered = (piece: Buffer) => {
    if (over) return;
    if (piece.length > 0) send(piece);
    if (filter!.refused) end('unreadable');
  };
  const heartbeat = () => {
    if (over || !isEventStream(answer) || !isQuiet(response, head) || !isBetweenEvents(tail)) return;
    bytes += HEARTBEAT.length;
    response.write(HEARTBEAT);
  };
  const end = (why: Ending) => {
    if (over || (why === 'backend_cut' && answer.complete)) return;
    finish(why);
    answer.destroy();
    sayLast(response, isEventStream(answer) ? lastWords(why, isLineStart(tail), filtering) : undefined);
  };
  begin(answer, response, head);
  listenTo(answer, response, {
    cut,
    piece: (piece) => {
      flowing();
      if (filter === undefined) send(piece);
      else sendFiltered(filter.push(piece));
    },
    taken: () => filter?.taken(),
    whole: () => {
      if (filter !== undefined) sendFiltered(filter.end());
      if (!over) conclude(response, finish);
    },
  });
  if (filtering !== undefined) sendFiltered(filtering.first);
  return { bytes: () => bytes, heartbeat, end };
}

/** A stream whose reader has taken what there was. */
const isQuiet = ({ writableEnded, writableLength }: ClientAnswer, { length }: AnswerHeaders): boolean =>
  length === undefined && !writableEnded && writableLength === 0;

function begin(answer: AnswerSource, response: ClientAnswer, { headers, length }: AnswerHeaders): void {
  beginAnswer(response, answer.statusCode!, headers);
  // A body of unknown length is a stream: its reader waits for the header block, maybe long before the first event.
  if (length === undefined) flushHead(response);
}

interface AnswerEvents {
  readonly piece: (piece: Buffer) => void;
  /** The client has taken what there was. */
  readonly taken: () => void;
  readonly whole: () => void;
  /** Maybe more than once. */
  readonly cut: () => void;
}

function listenTo(
  answer: AnswerSource,
  response: ClientAnswer,
  { piece, taken, whole, cut }: AnswerEvents,
): void {
  answer.on('data', piece);
  response.on('drain', () => {
    taken();
    answer.resume();
  });
  // It was held.
  if (answer.isPaused()) answer.resume();
  answer.once('end', () => (answer.complete ? whole() : cut()));
  answer.once('error', cut);
  answer.once('close', () => {
    if (!answer.complete) cut();
  });
}

/** Over when the client's side has taken all of it: until then it can still stall, and be given up. */
function conclude(response: ClientAnswer, finish: (why: undefined) => void): void {
  whenFinished(response, () => finish(undefined));
  response.end();
}

/** What the reader of a stream is told; absent: nothing, it is cut off. */
function lastWords(why: Ending, atLineStart: boolean, filtering: Filtering | undefined): string | undefined {
  if (why === 'unreadable') return filtering?.filter.betweenEvents ? filtering.apology : undefined;
  return UNHEARD.includes(why) ? undefined : farewell(why, atLineStart);
}

function sayLast(response: ClientAnswer, words: string | undefined): void {
  if (words === undefined || response.writableEnded) return cutOff(response);
  response.end(words);
  setTimeout(() => {
    if (!response.writableFinished) cutOff(response);
  }, FAREWELL_MS).unref();
}

export const isEventStream = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  /^text\/event-stream[ \t]*(;|$)/i.test(headers['content-type'] ?? '') &&
  headers['content-encoding'] === undefined;

/** @param headers name, value … of a request */
export function acceptsEventStream(headers: readonly string[]): boolean {
  const accept = valueOf(headers, 'accept');
  return accept !== undefined && /(^|[\s,])text\/event-stream *($|[;,])/i.test(accept);
}

/**
 * Whether an event stream that answers this request never ends by itself, and its client opens it again: one of GET,
 * and since MCP 2026-07-28 one of subscriptions/listen.
 */
export const listens = ({ method, headers }: Pick<UpstreamRequest, 'method' | 'headers'>): boolean =>
  method === 'GET' || valueOf(headers, 'mcp-method') === 'subscriptions/listen';

/** @param headers name, value … */
function valueOf(headers: readonly string[], wanted: string): string | undefined {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === wanted);
  return at === -1 ? undefined : headers[at + 1];
}

/**
 * A comment and `retry:`, without the empty line that would hand the reader an event which has come half: what
 * is incomplete at the end of a stream is discarded (HTML, server-sent events, 9.2.6).
 */
const farewell = (why: Ending, atLineStart: boolean): string =>
  `${atLineStart ? '' : '\n'}: ended by the gateway: ${why}\nretry: ${RETRY_MS}\n`;
