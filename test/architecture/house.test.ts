/**
 * The house in numbers, measured at each run: a table on standard output, and the bounds that hold.
 * `npx jest test/architecture/house --coverage=false` prints it.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ts from 'typescript';

const root = join(__dirname, '..', '..');
const FOLDERS = ['lib', 'proxy/src', 'proxy/test', 'proxy/bench', 'test', 'apps'];
const LONGEST_LINE = 120;
const LONGEST_FUNCTION = 60;

/** Words of ours that the field has another one for; no exported name, and no member of one, has them again. */
const RETIRED_WORDS: Readonly<Record<string, string>> = {
  bed: 'fixture',
  crew: 'worker pool',
  faults: 'violations, problems',
  fault: 'violation, problem, denial',
  judge: 'validate, check, decide',
  judged: 'checked',
  verdict: 'decision, result',
  roster: 'list',
  seated: 'list member',
  surroundings: 'dependencies',
  lasting: 'process resources',
  standing: 'validity, stream',
  terms: 'policy',
  telling: 'events',
  conclude: 'respond, record',
  concluded: 'countRequest',
  conclusion: 'result',
};

interface Source {
  readonly file: string;
  readonly text: string;
}
interface Measured {
  readonly lines: number;
  readonly longLines: readonly string[];
  readonly longestFunction: { readonly lines: number; readonly where: string };
  readonly longFunctions: number;
  readonly exceptions: readonly string[];
}

const sourcesOf = (folder: string): Source[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));

function functionsOf({ file, text }: Source): { lines: number; where: string }[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: { lines: number; where: string }[] = [];
  const lineOf = (at: number) => source.getLineAndCharacterOfPosition(at).line;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) {
      const first = lineOf(node.getStart());
      found.push({ lines: lineOf(node.getEnd()) - first + 1, where: `${file}:${first + 1}` });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function measure(sources: readonly Source[]): Measured {
  const linesOf = ({ file, text }: Source) =>
    text.split('\n').map((line, at) => ({ line, at: `${file}:${at + 1}` }));
  const all = sources.flatMap(linesOf);
  const functions = sources.flatMap(functionsOf).sort((a, b) => b.lines - a.lines);
  const [longestFunction = { lines: 0, where: 'none' }] = functions;
  return {
    lines: all.length,
    longLines: all.filter(({ line }) => line.length > LONGEST_LINE).map(({ line }) => line),
    longestFunction,
    longFunctions: functions.filter(({ lines }) => lines > LONGEST_FUNCTION).length,
    exceptions: all
      .filter(({ line }) => /\beslint-disable/.test(line))
      .map(({ line, at }) => `${at} ${line.trim()}`),
  };
}

/** Lines of Markdown that could be broken: no table, and no block of code. */
function longProse(text: string): string[] {
  const [prose] = text
    .split(/^ *```/m)
    .reduce<[string, boolean]>(
      ([kept, isCode], part) => [isCode ? kept : `${kept}${part}\n`, !isCode],
      ['', false],
    );
  return prose.split('\n').filter((line) => line.length > LONGEST_LINE && !/^ *\|/.test(line));
}

/** The names that a source exports, and those of the members of what it exports, as `Name` and `Name.member`. */
function exportedNames({ file, text }: Source): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  return source.statements.flatMap((statement) => {
    const isExported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    return isExported ? namesOf(statement) : [];
  });
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  if (ts.isFunctionDeclaration(statement) || ts.isTypeAliasDeclaration(statement))
    return [statement.name!.text];
  if (!ts.isClassDeclaration(statement) && !ts.isInterfaceDeclaration(statement)) return [];
  const owner = statement.name!.text;
  return [owner, ...statement.members.flatMap(({ name }) => (name ? [`${owner}.${name.getText()}`] : []))];
}

/** `startJudge` and `MAX_FAULTS` as their words, in lower case. */
const wordsOf = (name: string): string[] =>
  name
    .split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());

/** Circles of imports, types among them. */
function circles(): number {
  const out = execFileSync(
    join(root, 'node_modules', '.bin', 'depcruise'),
    [
      ...['--config', '.dependency-cruiser.cjs', '--output-type', 'json'],
      // What imports.test.ts plants while this runs.
      ...['--exclude', '/planted/', 'lib', 'proxy/src'],
    ],
    { cwd: root, maxBuffer: 1 << 26, encoding: 'utf8' },
  );
  const { summary } = JSON.parse(out) as { summary: { violations: { rule: { name: string } }[] } };
  return summary.violations.filter(({ rule }) => rule.name === 'no-cycles').length;
}

const row = (...cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;

describe('the house', () => {
  const measured = new Map(FOLDERS.map((folder) => [folder, measure(sourcesOf(folder))]));
  const ours = ['lib', 'proxy/src'].map((folder) => measured.get(folder)!);

  it('is printed as a table', () => {
    const rows = [...measured].map(
      ([folder, { lines, longLines, longestFunction, longFunctions, exceptions }]) =>
        row(
          folder,
          lines,
          longLines.length,
          `${longestFunction.lines} (${longestFunction.where})`,
          longFunctions,
          exceptions.length,
        ),
    );
    const table = [
      row(
        'folder',
        'lines',
        `over ${LONGEST_LINE} characters`,
        'longest function',
        `over ${LONGEST_FUNCTION} lines`,
        'lint exceptions',
      ),
      '|---|---|---|---|---|---|',
      ...rows,
    ];
    process.stdout.write(`${table.join('\n')}\nimport circles: ${circles()}\n`);
    expect([...measured.values()].every(({ lines }) => lines > 100)).toBe(true);
  }, 60_000);
  it('has no line over 120 characters', () => {
    expect([...measured.values()].flatMap(({ longLines }) => longLines)).toEqual([]);
  });
  it('has no line over 120 characters in its documents, but in tables and code', () => {
    const documents = [
      ...readdirSync(root),
      ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((file) =>
        join('docs', file),
      ),
    ].filter((file) => file.endsWith('.md') && file !== 'API.md'); // jsii-docgen writes that one
    expect(documents.length).toBeGreaterThan(50);
    const long = documents.flatMap((file) =>
      longProse(readFileSync(join(root, file), 'utf8')).map((line) => `${file}: ${line}`),
    );
    expect(long).toEqual([]);
  });
  it('has no function over 60 lines but in tests', () => {
    expect(ours.map(({ longestFunction }) => longestFunction.lines > LONGEST_FUNCTION)).toEqual([
      false,
      false,
    ]);
  });
  it('exports no name with a word that the field has another one for', () => {
    const named = FOLDERS.flatMap(sourcesOf).flatMap((source) =>
      exportedNames(source).map((name) => ({ name, file: source.file })),
    );
    const retired = named.flatMap(({ name, file }) =>
      wordsOf(name)
        .filter((word) => Object.hasOwn(RETIRED_WORDS, word))
        .map((word) => `${file}: ${name}: "${word}" is called ${RETIRED_WORDS[word]}`),
    );
    process.stdout.write(`exported names: ${named.length}, with a retired word: ${retired.length}\n`);
    expect(retired).toEqual([]);
  });
  it('gives a reason for every exception from lint', () => {
    const silent = [...measured.values()].flatMap(({ exceptions }) =>
      exceptions.filter((line) => !/ -- \S/.test(line)),
    );
    expect(silent).toEqual([]);
  });
});
