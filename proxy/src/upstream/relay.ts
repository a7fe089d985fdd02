import type { IncomingMessage } from 'node:http';
import { beginAnswer, cutOff, flushHead, whenFinished, type ClientAnswer } from '../http/exchange.js';
import type { AnswerHeaders } from './answer.js';
import { isBetweenEvents, isLineStart, START, tailAfter } from './event-tail.js';
import type { Ending } from './open-answers.js';

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
  answer: IncomingMessage,
  response: ClientAnswer,
  { headers, length }: AnswerHeaders,
  { flowing, ended }: RelayEvents,
): Relay {
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
    // Cut off upstream: the client must see it, not a clean end of half an answer.
    cutOff(response);
    finish('backend_cut');
  };
  beginAnswer(response, answer.statusCode!, headers);
  // A body of unknown length is a stream: its reader waits for the header block, maybe long before the first event.
  if (length === undefined) flushHead(response);
  answer.on('data', (chunk: Buffer) => {
    flowing();
    bytes += chunk.length;
    tail = tailAfter(tail, chunk);
    if (!response.write(chunk)) answer.pause();
  });
  response.on('drain', () => answer.resume());
  answer.once('end', () => {
    if (!answer.complete) return cut();
    // Over when the client's side has taken all of it: until then it can still stall, and be given up.
    whenFinished(response, () => finish(undefined));
    response.end();
  });
  answer.once('error', cut);
  answer.once('close', () => {
    if (!answer.complete) cut();
  });
  return {
    bytes: () => bytes,
    heartbeat() {
      if (over || length !== undefined || response.writableEnded || response.writableLength > 0) return;
      if (!isBetweenEvents(tail)) return;
      bytes += HEARTBEAT.length;
      response.write(HEARTBEAT);
    },
    end(why) {
      if (over || (why === 'backend_cut' && answer.complete)) return;
      finish(why);
      answer.destroy();
      if (UNHEARD.includes(why) || response.writableEnded || !isEventStream(answer)) return cutOff(response);
      response.end(farewell(why, isLineStart(tail)));
      setTimeout(() => {
        if (!response.writableFinished) cutOff(response);
      }, FAREWELL_MS).unref();
    },
  };
}

export const isEventStream = ({ headers }: IncomingMessage): boolean =>
  /^text\/event-stream *(;|$)/i.test(headers['content-type'] ?? '') &&
  headers['content-encoding'] === undefined;

/** @param headers name, value … of a request */
export function acceptsEventStream(headers: readonly string[]): boolean {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'accept');
  return at !== -1 && /(^|[\s,])text\/event-stream *($|[;,])/i.test(headers[at + 1]!);
}

/**
 * A comment and `retry:`, without the empty line that would hand the reader an event which has come half: what
 * is incomplete at the end of a stream is discarded (HTML, server-sent events, 9.2.6).
 */
const farewell = (why: Ending, atLineStart: boolean): string =>
  `${atLineStart ? '' : '\n'}: ended by the gateway: ${why}\nretry: ${RETRY_MS}\n`;
