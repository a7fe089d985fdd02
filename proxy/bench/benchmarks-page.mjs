// docs/benchmarks.md: the benchmarks' own table, and a section for each of the others. Only this file writes it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { here } from './bed.mjs';

const FILE = join(here, '..', '..', 'docs', 'benchmarks.md');
const SECTION = '\n## ';

/**
 * Replaces parts of the page, and leaves the others as they are.
 * @param top what stands before the first section
 * @param sections by heading
 */
export function writeBenchmarks({ top, sections = {} }) {
  const [topBefore, ...before] = readFileSync(FILE, 'utf8').split(SECTION);
  const all = new Map(before.map((text) => [text.split('\n', 1)[0], text.slice(text.indexOf('\n'))]));
  for (const [heading, text] of Object.entries(sections)) all.set(heading, text);
  const texts = [...all].map(([heading, text]) => `${SECTION}${heading}\n\n${text.trim()}\n`);
  writeFileSync(FILE, `${(top ?? topBefore).trimEnd()}\n${texts.join('')}`);
}

/** One row of a table in Markdown. */
export const row = (...cells) => `| ${cells.join(' | ')} |`;
