/** Docstrings of the public interfaces of lib, as TypeScript reads them, and what they say in numbers. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ts from 'typescript';
import { root } from './synth';

export interface Docstring {
  /** Without its tags. */
  readonly text: string;
  /** What `@default` says. */
  readonly fallback?: string;
}

/** Of every prop of every interface, those that it inherits too. */
export function docstrings(): ReadonlyMap<string, ReadonlyMap<string, Docstring>> {
  const found = ['values', 'constructs'].flatMap((room) => interfacesIn(join(root, 'lib', room)));
  const named = (name: string): ts.InterfaceDeclaration => found.find((node) => node.name.text === name)!;
  const propsOf = (node: ts.InterfaceDeclaration): [string, Docstring][] => [
    ...(node.heritageClauses ?? []).flatMap(({ types }) =>
      types.flatMap((type) => propsOf(named(type.expression.getText()))),
    ),
    ...node.members.map((member): [string, Docstring] => [member.name!.getText(), docstringOf(member)]),
  ];
  return new Map(found.map((node) => [node.name.text, new Map(propsOf(node))]));
}

function interfacesIn(folder: string): ts.InterfaceDeclaration[] {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .flatMap((path) => {
      const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
      return file.statements.filter(ts.isInterfaceDeclaration);
    });
}

function docstringOf(node: ts.Node): Docstring {
  const [doc] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  const tag = doc?.tags?.find(({ tagName }) => tagName.text === 'default');
  const textOf = (comment: ts.JSDoc['comment']) =>
    (ts.getTextOfJSDocComment(comment) ?? '').replace(/\s+/g, ' ');
  return { text: textOf(doc?.comment), ...(tag === undefined ? {} : { fallback: textOf(tag.comment) }) };
}

const UNITS: Record<string, number> = {
  ms: 0.001,
  millisecond: 0.001,
  s: 1,
  second: 1,
  minute: 60,
  hour: 3600,
  day: 86_400,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};
const NUMBER = String.raw`(\d+(?: \d{3})*(?:\.\d+)?)(?: (ms|s|(?:millisecond|second|minute|hour|day)s?|[KMG]iB)\b)?`;

const valueOf = (digits: string, unit?: string) => {
  const factor = unit === undefined ? 1 : (UNITS[unit] ?? UNITS[unit.replace(/s$/, '')]);
  return Number((Number(digits.replaceAll(' ', '')) * factor).toFixed(6));
};

/** Every quantity of a text, in seconds, bytes, or as it is. */
export const quantitiesOf = (text: string): number[] =>
  [...text.matchAll(new RegExp(NUMBER, 'g'))].map(([, digits, unit]) => valueOf(digits, unit));

/** `1 second to 1 hour`, `0.1 to 60 s`, `1 to 1 000 000`, `at most 60 seconds`; undefined where none is said. */
export function boundsOf(text: string): { readonly min?: number; readonly max: number } | undefined {
  const range = new RegExp(`${NUMBER} to ${NUMBER}`).exec(text);
  if (range !== null) {
    const [, min, unitOfMin, max, unit] = range;
    return { min: valueOf(min, unitOfMin ?? unit), max: valueOf(max, unit) };
  }
  const most = new RegExp(`(?:at most|up to) ${NUMBER}`, 'i').exec(text);
  return most === null ? undefined : { max: valueOf(most[1], most[2]) };
}
