import { folded } from './mcp.js';
import { LIST_MEMBERS } from './mcp-lists.js';

/** A byte of what ASCII has for JSON's structure. */
const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];

const NAMES: ReadonlySet<string> = new Set(LIST_MEMBERS.map(folded));
/** Of a name's bytes: longer ones are none of these. */
const MAX_NAME = 32;

/** How many backslashes stand right before `end`, none of them before `from`. */
function escapesBefore(bytes: Buffer, from: number, end: number): number {
  let at = end;
  while (at > from && bytes[at - 1] === BACKSLASH) at -= 1;
  return end - at;
}

/**
 * Whether a message, or a batch of them, may have a list in its result, byte by byte and without keeping it. It says
 * so too early rather than too late: what it says nothing of has none, to any reader of JSON.
 */
export class ListScanner {
  /** It may; from then on it stays so until the next message. */
  found = false;
  #depth = 0;
  /** Depth of a message's members: 1, in a batch 2. */
  #base = 1;
  #inString = false;
  #escaped = false;
  /** Of the string that was read last, where its depth can hold a name that matters: its bytes. */
  readonly #name = Buffer.alloc(MAX_NAME);
  #length = 0;
  #hasEscape = false;
  /** The message's member that was named last is `result`, or may be. */
  #inResult = false;

  /** The next message. */
  reset(): void {
    this.found = false;
    this.#depth = 0;
    this.#base = 1;
    this.#inString = false;
    this.#escaped = false;
    this.#length = 0;
    this.#hasEscape = false;
    this.#inResult = false;
  }

  feed(bytes: Buffer): void {
    for (let i = 0; i < bytes.length; i++) {
      // Most bytes are those of long strings, which are no names that matter.
      if (this.#inString && !this.#escaped && this.#length > MAX_NAME) i = this.#endOfString(bytes, i);
      if (i < bytes.length) this.take(bytes[i]!);
    }
  }

  /** Where the quote stands that ends the string which is read; the length, if it does not end here. */
  #endOfString(bytes: Buffer, from: number): number {
    let end = bytes.indexOf(QUOTE, from);
    while (end !== -1 && escapesBefore(bytes, from, end) % 2 === 1) end = bytes.indexOf(QUOTE, end + 1);
    if (end !== -1) return end;
    this.#escaped = escapesBefore(bytes, from, bytes.length) % 2 === 1;
    return bytes.length;
  }

  take(byte: number): void {
    // UTF-16 and UTF-32 have zeros, and some readers of JSON take those.
    if (byte === 0) this.found = true;
    else if (this.#inString) this.#takeOfString(byte);
    else this.#takeOfStructure(byte);
  }

  #takeOfString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) {
      this.#escaped = true;
      this.#hasEscape = true;
    } else if (byte === QUOTE) {
      this.#inString = false;
      return;
    }
    if (this.#length < MAX_NAME) this.#name[this.#length] = byte;
    this.#length += 1;
  }

  #takeOfStructure(byte: number): void {
    switch (byte) {
      case QUOTE:
        this.#inString = true;
        this.#length = 0;
        this.#hasEscape = false;
        break;
      case COLON:
        this.#endName();
        break;
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        if (this.#depth === 0) this.#base = byte === OPEN_ARRAY ? 2 : 1;
        this.#depth += 1;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        if (this.#depth > 0) this.#depth -= 1;
    }
  }

  #endName(): void {
    if (this.#depth === this.#base) this.#inResult = this.#mayBe((name) => name === 'result');
    else if (this.#depth === this.#base + 1 && this.#inResult && this.#mayBe((name) => NAMES.has(name)))
      this.found = true;
  }

  /** A name that is spelled with an escape may be any. */
  #mayBe(is: (name: string) => boolean): boolean {
    if (this.#hasEscape) return true;
    return this.#length <= MAX_NAME && is(folded(this.#name.toString('utf8', 0, this.#length)));
  }
}
