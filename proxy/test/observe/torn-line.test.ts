/**
 * A disk that fills up in the middle of a line, as a stand-in tells it (node:fs with a `write` of ours): the real
 * ENOSPC, of /dev/full, is in telemetry.test.ts.
 */
import { jest } from '@jest/globals';
import * as fs from 'node:fs';

const got: string[] = [];
/** Bytes that fit. */
let room = Infinity;
jest.unstable_mockModule('node:fs', () => ({
  ...fs,
  write(_: number, text: Buffer, done: (cause: Error | null, bytes: number) => void) {
    const bytes = Math.min(room, text.length);
    room -= bytes;
    got.push(text.subarray(0, bytes).toString());
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    setImmediate(() => (bytes === 0 ? done(full, 0) : done(null, bytes)));
  },
}));
const { openLineSink, STDOUT } = await import('../../src/observe/line-sink.js');

it('spoils no line but the one that it cut', async () => {
  const lost: [number, string][] = [];
  const sink = openLineSink({ to: STDOUT, onLost: (lines, why) => lost.push([lines, why]) });
  room = 12;
  sink.write('{"n":1}\n{"n":2}\n');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(lost).toEqual([[1, 'ENOSPC']]);
  room = Infinity;
  sink.write('{"n":3}\n');
  await sink.close();
  expect(got.join('')).toBe('{"n":1}\n{"n"\n{"n":3}\n');
});
