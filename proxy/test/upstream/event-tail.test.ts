/** Whether an event stream stands between two events, against a reader that keeps all of it. */
import fc from 'fast-check';
import { createParser } from 'eventsource-parser';
import { isBetweenEvents, isLineStart, START, tailAfter } from '../../src/upstream/event-tail.js';

const tailOf = (pieces: readonly string[]) =>
  pieces.reduce((tail, piece) => tailAfter(tail, Buffer.from(piece)), START);
/** Lines of a stream, ended in one of the three ways; some streams end in the middle of one. */
const line = fc.constantFrom('', 'data: a', 'data: b', 'event: e', 'id: 7', ': note');
const ending = fc.constantFrom('\n', '\r\n', '\r');
const stream = fc
  .tuple(fc.array(line, { maxLength: 8 }), ending, fc.constantFrom('', 'data: half', 'da'))
  .map(([lines, end, rest]) => lines.map((text) => text + end).join('') + rest);
/** The same bytes, in pieces. */
const inPieces = fc
  .tuple(stream, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }))
  .map(([text, sizes]) => {
    const pieces: string[] = [];
    for (let at = 0, i = 0; at < text.length; i++) {
      const size = sizes[i % sizes.length]!;
      pieces.push(text.slice(at, at + size));
      at += size;
    }
    return pieces;
  });

function eventsIn(text: string): unknown[] {
  const events: unknown[] = [];
  const parser = createParser({ onEvent: ({ data, event, id }) => events.push([data, event, id]) });
  parser.feed(text);
  parser.feed('\n\n');
  return events;
}

describe('a comment between two events', () => {
  it('changes nothing of what a reader gets, wherever a stream stands and however it came', () => {
    fc.assert(
      fc.property(inPieces, fc.constantFrom('data: next\n\n', '\ndata: next\n\n', ''), (pieces, rest) => {
        const text = pieces.join('');
        if (!isBetweenEvents(tailOf(pieces))) return;
        expect(eventsIn(`${text}:\n${rest}`)).toEqual(eventsIn(text + rest));
      }),
      { numRuns: 2_000 },
    );
  });
  it('is allowed at an empty line, and nowhere else', () => {
    fc.assert(
      fc.property(inPieces, (pieces) => {
        const text = pieces.join('');
        const isEmptyLine = text === '' || /(?:^|[\r\n])(?:\n|\r|\r\n)$/.test(text.replace(/\r\n/g, '\n'));
        expect(isBetweenEvents(tailOf(pieces))).toBe(isEmptyLine);
        expect(isLineStart(tailOf(pieces))).toBe(text === '' || /[\r\n]$/.test(text));
      }),
      { numRuns: 2_000 },
    );
  });
});
