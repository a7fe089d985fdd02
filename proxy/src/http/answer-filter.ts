import { ListScanner } from '../checks/list-scanner.js';
import type { BodyLease } from './body-pool.js';
import { HeldBody } from './held-body.js';

/** What is held at most of a message before it is known that it lists nothing; no list may be longer. */
export const MAX_LIST_BYTES = 2 * 2 ** 20;

/** Cuts out of a message what its caller may not see; `undefined`: it cannot be read, or not in one way. */
export type CutLists = (text: string) => string | undefined;

/** What passes of a backend's answer, piece by piece. */
export interface AnswerFilter {
  /** What goes on now, maybe nothing. */
  push(piece: Buffer): Buffer;
  /** What goes on after the last piece. */
  end(): Buffer;
  /** The client has taken what went on so far: it counts no more. */
  taken(): void;
  /** The answer cannot be read for its lists: nothing more goes on. */
  readonly refused: boolean;
  /** Whether what went on so far ends where a reader expects another event. */
  readonly betweenEvents: boolean;
}

const NOTHING: Buffer = Buffer.alloc(0);
const [LF, CR] = [0x0a, 0x0d];
const DATA = Buffer.from('data:');
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** What is cut from an answer, and whose memory it is held in for that. */
export interface ListCutting {
  readonly cut: CutLists;
  /** @param end called when what is held has to make room */
  readonly openLease: (end: () => void) => BodyLease;
}

/** Bytes that wait for a decision, in one buffer, however small the pieces were that they came in. */
class HeldBytes {
  readonly #openLease: ListCutting['openLease'];
  readonly #onEnded: () => void;
  #body: HeldBody | undefined;
  /** Went on, and counts until its client has taken it. */
  readonly #kept: HeldBody[] = [];
  #ended = false;

  constructor({ openLease }: ListCutting, onEnded: () => void) {
    this.#openLease = openLease;
    this.#onEnded = onEnded;
  }

  get length(): number {
    return this.#body?.length ?? 0;
  }

  add(bytes: Buffer): void {
    if (this.#ended) return;
    this.#body ??= new HeldBody(this.#openLease(this.#end), NaN);
    this.#body.append(bytes);
  }

  /** All of them; they count until `taken`, and make room for nobody. */
  keep(): Buffer {
    const body = this.#body;
    if (body === undefined) return NOTHING;
    const { bytes } = body;
    body.settle();
    this.#kept.push(body);
    this.#body = undefined;
    return bytes;
  }

  taken(): void {
    for (const body of this.#kept.splice(0)) body.release();
  }

  release(): void {
    this.taken();
    this.#body?.release();
    this.#body = undefined;
  }

  readonly #end = (): void => {
    this.#ended = true;
    this.#body?.release();
    this.#body = undefined;
    this.#onEnded();
  };
}

/** An answer that is one message, or a batch: held until it is known that it lists nothing, or is whole. */
export class MessageFilter implements AnswerFilter {
  readonly betweenEvents = false;
  readonly #scanner = new ListScanner();
  readonly #held: HeldBytes;
  readonly #cut: CutLists;
  #passing = false;
  refused = false;
  /** It is another message than it was. */
  cutSome = false;

  /** @param onEnded called when what is held has to make room for others */
  constructor(cutting: ListCutting, onEnded: () => void) {
    this.#cut = cutting.cut;
    this.#held = new HeldBytes(cutting, onEnded);
  }

  taken(): void {
    this.#held.taken();
  }

  release(): void {
    this.#held.release();
  }

  /** It is longer than what is held, and goes on as it comes. */
  get passing(): boolean {
    return this.#passing;
  }

  push(piece: Buffer): Buffer {
    this.#scanner.feed(piece);
    if (this.#passing) return this.#scanner.found ? this.#refuse() : piece;
    this.#held.add(piece);
    if (this.#held.length <= MAX_LIST_BYTES) return NOTHING;
    if (this.#scanner.found) return this.#refuse();
    this.#passing = true;
    return this.#held.keep();
  }

  #refuse(): Buffer {
    this.refused = true;
    this.#held.release();
    return NOTHING;
  }

  end(): Buffer {
    const bytes = this.#held.keep();
    if (!this.#scanner.found) return bytes;
    const text = textOf(bytes);
    const cut = text === undefined ? undefined : this.#cut(text);
    if (cut === undefined) return this.#refuse();
    this.cutSome = cut !== text;
    return this.cutSome ? Buffer.from(cut) : bytes;
  }
}

/** Of an event stream (HTML, server-sent events, 9.2.6): event by event. */
export class EventFilter implements AnswerFilter {
  readonly #scanner = new ListScanner();
  readonly #held: HeldBytes;
  readonly #cut: CutLists;
  /** Of the line that is read: bytes so far, and whether they are those of a data field as far as that goes. */
  #column = 0;
  #isData = true;
  /** The byte before was a CR: an LF belongs to it. */
  #afterCr = false;
  /** Of the stream's first bytes: those of a byte order mark, which is no part of its first line. */
  #bom = 0;
  /** The event is longer than what is held, and goes on as it comes. */
  #passing = false;
  refused = false;

  /** @param onEnded called when what is held has to make room for others */
  constructor(cutting: ListCutting, onEnded: () => void) {
    this.#cut = cutting.cut;
    this.#held = new HeldBytes(cutting, onEnded);
  }

  taken(): void {
    this.#held.taken();
  }

  release(): void {
    this.#held.release();
  }

  get betweenEvents(): boolean {
    return !this.#passing;
  }

  push(piece: Buffer): Buffer {
    const out: Buffer[] = [];
    // The LF of a CRLF whose CR ended an event: its reader may wait for it.
    let from = this.#afterCr && this.#held.length === 0 && piece[0] === LF ? 1 : 0;
    if (from === 1) out.push(piece.subarray(0, 1));
    for (let i = 0; i < piece.length; i++) {
      i = this.#skipLine(piece, i);
      if (i === piece.length) break;
      if (!this.#endsEvent(piece[i]!)) continue;
      if (piece[i] === CR && piece[i + 1] === LF) this.#endsEvent(piece[++i]!);
      out.push(this.#endEvent(piece.subarray(from, i + 1)));
      if (this.refused) return Buffer.concat(out);
      from = i + 1;
    }
    const rest = this.#keep(piece.subarray(from));
    return out.length === 0 ? rest : Buffer.concat([...out, rest]);
  }

  /** What has come of an event is none to a reader that keeps to the rules; others may take it. */
  end(): Buffer {
    return this.#endEvent(NOTHING);
  }

  /** Takes a byte. @returns whether it ends an empty line, and so an event */
  #endsEvent(byte: number): boolean {
    const ofLineBefore = byte === LF && this.#afterCr;
    this.#afterCr = byte === CR;
    if (ofLineBefore) return false;
    if (byte === LF || byte === CR) {
      const empty = this.#column === 0;
      if (this.#isData && this.#column >= DATA.length) this.#scanner.take(LF);
      this.#column = 0;
      this.#isData = true;
      this.#bom = BOM.length;
      return empty;
    }
    if (this.#isOfBom(byte)) return false;
    if (this.#column < DATA.length) this.#isData &&= byte === DATA[this.#column];
    else if (this.#isData) this.#scanner.take(byte);
    this.#column += 1;
    return false;
  }

  /** Takes what is left of a line whose field is known. @returns where its end stands; the length, if not here */
  #skipLine(piece: Buffer, from: number): number {
    if (this.#column < DATA.length) return from;
    let end = from;
    while (end < piece.length && piece[end] !== LF && piece[end] !== CR) end += 1;
    if (end === from) return from;
    if (this.#isData) this.#scanner.feed(piece.subarray(from, end));
    this.#column += end - from;
    this.#afterCr = false;
    return end;
  }

  #isOfBom(byte: number): boolean {
    if (this.#bom === BOM.length) return false;
    const isIt = this.#column === 0 && byte === BOM[this.#bom];
    this.#bom = isIt ? this.#bom + 1 : BOM.length;
    return isIt;
  }

  #endEvent(last: Buffer): Buffer {
    const { found } = this.#scanner;
    if (found && this.#passing) return this.#refuse();
    this.#scanner.reset();
    this.#passing = false;
    if (!found && this.#held.length === 0) return last;
    this.#held.add(last);
    const event = this.#held.keep();
    return found ? (cutEvent(event, this.#cut) ?? this.#refuse()) : event;
  }

  #refuse(): Buffer {
    this.refused = true;
    this.#held.release();
    return NOTHING;
  }

  /** Of an event that has not ended. */
  #keep(bytes: Buffer): Buffer {
    if (this.#passing) return this.#scanner.found ? this.#refuse() : bytes;
    if (bytes.length === 0) return NOTHING;
    this.#held.add(bytes);
    if (this.#held.length <= MAX_LIST_BYTES) return NOTHING;
    if (this.#scanner.found) return this.#refuse();
    this.#passing = true;
    return this.#held.keep();
  }
}

/** The event with its data cut; its other fields stay. */
function cutEvent(bytes: Buffer, cut: CutLists): Buffer | undefined {
  const lines = textOf(bytes)?.split(/\r\n|\r|\n/);
  if (lines === undefined) return undefined;
  const isData = (line: string) => line === 'data' || line.startsWith('data:');
  const data = lines.filter(isData).map((line) => line.slice(DATA.length).replace(/^ /, ''));
  const message = cut(data.join('\n'));
  if (message === undefined) return undefined;
  const others = lines.filter((line) => line !== '' && !isData(line)).map((line) => `${line}\n`);
  // A message that was written again has no line ends in it; one that was not may have.
  const written = message.split('\n').map((line) => `data: ${line}\n`);
  return Buffer.from(`${others.join('')}${written.join('')}\n`);
}

/** UTF-8 without its byte order mark; `undefined`: it is none, and two readers would fill in different characters. */
function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
