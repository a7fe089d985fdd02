/** Where an event stream stands, by its last bytes (HTML, server-sent events, 9.2.5). */

const LF = 10;
const CR = 13;

/** The last three bytes of a stream, the last one lowest. */
export type Tail = number;
/** Of a stream that has not begun: as after an empty line. */
export const START: Tail = (LF << 8) | LF;

export function tailAfter(tail: Tail, chunk: Buffer): Tail {
  let next = tail;
  for (let i = Math.max(0, chunk.length - 3); i < chunk.length; i++)
    next = ((next << 8) | chunk[i]!) & 0xffffff;
  return next;
}

export const isLineStart = (tail: Tail): boolean => (tail & 0xff) === LF || (tail & 0xff) === CR;

/** Whether the last line was empty, however lines end: LF, CR or CR LF. */
export function isBetweenEvents(tail: Tail): boolean {
  const [before, previous, last] = [tail >> 16, (tail >> 8) & 0xff, tail & 0xff];
  if (last === CR) return previous === LF || previous === CR;
  if (last !== LF) return false;
  return previous === LF || (previous === CR && (before === LF || before === CR));
}
