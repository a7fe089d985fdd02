import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLineSink } from '../../src/observe/line-sink.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-line-sink-'));
afterAll(() => rmSync(dir, { recursive: true }));

it('goes on in a new file after the one before was renamed, and loses no line', async () => {
  const file = join(dir, 'audit.jsonl');
  const lost: number[] = [];
  const sink = openLineSink({ to: file, onLost: (lines) => lost.push(lines) });
  sink.write('{"n":1}\n');
  renameSync(file, `${file}.1`);
  sink.reopen();
  sink.write('{"n":2}\n');
  await sink.close();
  const [before, after] = [`${file}.1`, file].map((path) => readFileSync(path, 'utf8'));
  expect(before! + after!).toBe('{"n":1}\n{"n":2}\n');
  expect(after).toContain('{"n":2}');
  expect(lost).toEqual([]);
});

it('stays in the file that it has where the path cannot be opened again, and says so', async () => {
  const folder = mkdtempSync(join(dir, 'gone-'));
  const problems: string[] = [];
  const sink = openLineSink({
    to: join(folder, 'audit.jsonl'),
    onLost: () => {},
    onProblem: (problem) => problems.push(problem),
  });
  renameSync(folder, `${folder}-moved`);
  sink.reopen();
  sink.write('{"n":1}\n');
  await sink.close();
  expect(problems).toEqual([
    `${join(folder, 'audit.jsonl')}: cannot be opened again (ENOENT); lines go on into the file before`,
  ]);
  expect(readFileSync(join(`${folder}-moved`, 'audit.jsonl'), 'utf8')).toBe('{"n":1}\n');
});

it('writes nothing once it is closed: its descriptor may be that of a connection', async () => {
  const lost: (number | string)[] = [];
  const sink = openLineSink({ to: join(dir, 'closed.jsonl'), onLost: (...what) => lost.push(...what) });
  sink.write('{"n":1}\n');
  await sink.close();
  const others = Array.from({ length: 8 }, (_, n) => join(dir, `other-${n}`));
  const descriptors = others.map((file) => openSync(file, 'a'));
  sink.write('{"n":2}\n');
  sink.reopen();
  await sink.close();
  await sleep(50);
  descriptors.forEach((descriptor) => closeSync(descriptor));
  expect(others.map((file) => readFileSync(file, 'utf8'))).toEqual(others.map(() => ''));
  expect(readFileSync(join(dir, 'closed.jsonl'), 'utf8')).toBe('{"n":1}\n');
  expect(lost).toEqual([1, 'it is closed']);
});
