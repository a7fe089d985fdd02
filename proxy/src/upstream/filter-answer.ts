import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { EventFilter, MessageFilter, type ListCutting } from '../http/answer-filter.js';
import { headerFields } from '../http/header-fields.js';
import { rpcCodeOf } from '../http/refusal-body.js';
import { Denial, deny } from '../pipeline/reason.js';
import { isEventStream, type AnswerSource, type Filtering } from './relay.js';

const NOTHING: Buffer = Buffer.alloc(0);

/** An answer as it goes to the client. */
export interface FilteredAnswer {
  readonly source: AnswerSource;
  /** name, value … */
  readonly rawHeaders: readonly string[];
  /** Absent: it is whole, and was filtered. */
  readonly filtering?: Filtering;
  /** Gives back what is held of it: once the client has taken that. */
  readonly release: () => void;
}

export interface FilterOptions {
  /** Of the JSON-RPC request that is answered, where it is known. */
  readonly rpcId: string | number | undefined;
  /** A piece of an answer came that is held. */
  readonly flowing: () => void;
  /** What is held has to make room: the answer ends. */
  readonly makeRoom: () => void;
}

/** Cuts what an answer lists: a stream event by event, anything else before its first byte goes on. */
export function filterAnswer(
  answer: IncomingMessage,
  lists: ListCutting,
  { rpcId, flowing, makeRoom }: FilterOptions,
): FilteredAnswer | Denial | Promise<FilteredAnswer | Denial> {
  if (isEncoded(answer)) {
    answer.resume();
    return deny('upstream_failed', 'an answer that lists are cut from is encoded');
  }
  if (!hasOneType(answer)) {
    answer.resume();
    return deny('upstream_failed', 'an answer that lists are cut from says more than one type');
  }
  const { rawHeaders } = answer;
  if (!isEventStream(answer)) {
    const filter = new MessageFilter(lists, makeRoom);
    return holdAnswer(answer, filter, flowing).then((held) => asItGoesOn(answer, held, filter));
  }
  const filter = new EventFilter(lists, makeRoom);
  return {
    release: () => filter.release(),
    source: answer,
    rawHeaders: fieldsOfCut(rawHeaders, 'text/event-stream', undefined),
    filtering: { filter, first: NOTHING, apology: apologyTo(rpcId) },
  };
}

function asItGoesOn(
  answer: IncomingMessage,
  held: HeldAnswer,
  filter: MessageFilter,
): FilteredAnswer | Denial {
  const { rawHeaders } = answer;
  if (held.kind === 'refused') return held.denial;
  const release = () => filter.release();
  if (held.kind === 'passing') {
    const filtering = { filter, first: held.first, apology: undefined };
    return { source: answer, rawHeaders, filtering, release };
  }
  const { bytes, cut } = held;
  return {
    release,
    source: heldSource(answer, bytes),
    rawHeaders: cut ? fieldsOfCut(rawHeaders, 'application/json', bytes.length) : rawHeaders,
  };
}

type HeldAnswer =
  /** It is whole; `cut`: it is another one than its backend sent. */
  | { readonly kind: 'whole'; readonly bytes: Buffer; readonly cut: boolean }
  /** It lists nothing so far, and is longer than what is held: it goes on as it comes. */
  | { readonly kind: 'passing'; readonly first: Buffer }
  | { readonly kind: 'refused'; readonly denial: Denial };

const UNREADABLE = 'an answer that lists are cut from cannot be read, or is too long';

/**
 * Holds an answer until it is known what of it passes.
 * @param flowing called at each piece
 */
function holdAnswer(
  answer: IncomingMessage,
  filter: MessageFilter,
  flowing: () => void,
): Promise<HeldAnswer> {
  return new Promise((resolve) => {
    const settle = (held: HeldAnswer) => {
      answer.off('data', take).off('end', end).off('error', cutOff).off('close', cutOff);
      resolve(held);
    };
    const refuse = (why: string) => {
      filter.release();
      settle({ kind: 'refused', denial: deny('upstream_failed', why) });
    };
    const take = (piece: Buffer) => {
      flowing();
      const passed = filter.push(piece);
      if (filter.refused) return refuse(UNREADABLE);
      if (!filter.passing) return;
      answer.pause();
      settle({ kind: 'passing', first: passed });
    };
    const end = () => {
      if (!answer.complete) return refuse('cut off');
      const passed = filter.end();
      if (filter.refused) refuse(UNREADABLE);
      else settle({ kind: 'whole', bytes: passed, cut: filter.cutSome });
    };
    const cutOff = () => refuse('cut off');
    answer.on('data', take).once('end', end).once('error', cutOff).once('close', cutOff);
  });
}

/** An answer that was held, as if it came now. */
const heldSource = ({ statusCode, headers }: IncomingMessage, bytes: Buffer): AnswerSource =>
  Object.assign(Readable.from(bytes.length === 0 ? [] : [bytes]), { statusCode, headers, complete: true });

/** Fields that say what the body was before something was cut out of it, and how it was sent. */
const OF_THE_WHOLE = new Set([
  'content-type',
  'content-length',
  'etag',
  'last-modified',
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
]);

/** The fields of an answer that is cut: as what it was read, and of another length, which a stream does not say. */
function fieldsOfCut(raw: readonly string[], type: string, length: number | undefined): string[] {
  const kept = raw.filter((_, i) => !OF_THE_WHOLE.has(raw[i - (i % 2)]!.toLowerCase()));
  kept.push('Content-Type', type);
  if (length !== undefined) kept.push('Content-Length', String(length));
  return kept;
}

/** The gateway asks for no coding; what has one cannot be read. */
const isEncoded = ({ headers }: IncomingMessage): boolean =>
  headers['content-encoding'] !== undefined || !/^chunked$/i.test(headers['transfer-encoding'] ?? 'chunked');

/** RFC 9110 8.3: one media type. Of several, its readers could each see another. */
function hasOneType({ rawHeaders }: IncomingMessage): boolean {
  const fields = headerFields(rawHeaders);
  return !fields.repeated('content-type') && !fields.get('content-type')?.includes(',');
}

/** An event that answers the request with an error; absent: nobody knows which it is. */
function apologyTo(id: string | number | undefined): string | undefined {
  if (id === undefined) return undefined;
  const error = { code: rpcCodeOf('internal_error'), message: 'the gateway could not read the answer' };
  return `data: ${JSON.stringify({ jsonrpc: '2.0', id, error })}\n\n`;
}
