import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

function sources(folder: string): { file: string; text: string }[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.ts'))
    .map((f) => ({ file: join(folder, f), text: readFileSync(join(root, folder, f), 'utf8') }));
}

const proxy = sources('proxy/src');
const lib = sources('lib');

const offenders = (files: { file: string; text: string }[], pattern: RegExp, except: string[] = []) =>
  files
    .filter(
      ({ file, text }) =>
        !except.includes(file) && pattern.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')),
    )
    .map(({ file }) => file);

describe('sources', () => {
  it('are found', () => {
    expect(proxy.length).toBeGreaterThan(30);
    expect(lib.length).toBeGreaterThan(10);
  });
  it('use process in the entry points only', () => {
    expect(offenders(proxy, /\bprocess\.\w/, ['proxy/src/main.ts', 'proxy/src/cli/agw.ts'])).toEqual([]);
  });
  it('read the wall clock in clock.ts only', () => {
    expect(
      offenders(proxy, /\bDate\.now\(|new Date\(\)/, ['proxy/src/clock.ts', 'proxy/src/main.ts']),
    ).toEqual([]);
  });
  it('have no console, no any, no default export', () => {
    for (const files of [proxy, lib]) {
      expect(offenders(files, /\bconsole\.\w/)).toEqual([]);
      expect(offenders(files, /:\s*any\s*(?:[;,)=\]}{]|$)|\bas any\b|<any>/m)).toEqual([]);
      expect(offenders(files, /^export default/m)).toEqual([]);
    }
  });
  it('stay under 400 lines a file', () => {
    expect(
      [...proxy, ...lib].filter(({ text }) => text.split('\n').length > 400).map(({ file }) => file),
    ).toEqual([]);
  });
});
