/** Which markdown files of the repository are pages, where each is served, and what the sidebar says. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');
const { repository } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  repository: { url: string };
};
export const REPOSITORY = repository.url.replace(/^git\+/, '').replace(/\.git$/, '');

const filesOf = (folder: string): string[] =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `${folder}/${name}`);
const FOLDERS = { concepts: 'docs/concepts', guides: 'docs/guides', reference: 'docs/reference' };

/** File to page. README is the first page: the quick start is written once. */
const PAGES: ReadonlyMap<string, string> = new Map([
  ['README.md', 'index.md'] as const,
  ...['API.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md'].map(
    (file) => [file, file.toLowerCase()] as const,
  ),
  ...['docs', ...Object.values(FOLDERS), 'docs/decisions']
    .flatMap(filesOf)
    .map((file) => [file, file.slice('docs/'.length)] as const),
]);
/** VitePress's `rewrites`. */
export const REWRITES = Object.fromEntries(PAGES);
/** VitePress's `srcExclude`: it looks for pages in the repository, and these folders have none. */
export const NO_PAGES = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'docs')
  .map(({ name }) => `${name}/**`);

/**
 * A link as it stands in a file of the repository, for the site: to the page of a markdown file, and to the repository
 * for every other file. Throws where there is no such file: VitePress looks only at links to pages.
 * @param file where the link stands, from the root of the repository
 */
export function siteLink(file: string, href: string): string {
  if (/^(?:[a-z]+:|#)/i.test(href)) return href;
  const [path = '', hash] = href.split(/(?=#)/);
  const target = posix.join(posix.dirname(file), decodeURI(path));
  const found = statSync(join(ROOT, target), { throwIfNoEntry: false });
  if (found === undefined) throw new Error(`${file}: link to ${href}: there is no such file`);
  const page = PAGES.get(target);
  if (page !== undefined) return `/${page}${hash ?? ''}`;
  return `${REPOSITORY}/${found.isDirectory() ? 'tree' : 'blob'}/main/${target}`;
}

/** As GitHub makes the anchor of a heading. */
export const githubSlug = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-');

interface Entry {
  readonly text: string;
  readonly link: string;
}
interface Section {
  readonly text: string;
  readonly items: readonly Entry[];
  readonly collapsed?: boolean;
}
const titleOf = (file: string): string => /^# (.+)$/m.exec(readFileSync(join(ROOT, file), 'utf8'))![1]!;
const entry = (file: string, text = titleOf(file)): Entry => ({
  text,
  link: `/${PAGES.get(file)!.replace(/(?:^index)?\.md$/, '')}`,
});
/** `9. A replay store …` and `0001 jsii`: the number is the file's. */
const decision = (file: string): Entry => {
  const [number] = /\d{4}/.exec(file)!;
  return entry(file, `${Number(number)} ${titleOf(file).replace(/^\d+[.:]? /, '')}`);
};

export const SIDEBAR: Section[] = [
  { text: 'Start', items: [entry('README.md', 'Quick start'), entry('SECURITY.md')] },
  { text: 'Concepts', items: filesOf(FOLDERS.concepts).map((file) => entry(file)) },
  { text: 'Guides', items: filesOf(FOLDERS.guides).map((file) => entry(file)) },
  { text: 'Operate', items: [entry('docs/runbook.md'), entry('docs/benchmarks.md')] },
  {
    text: 'Reference',
    items: [
      entry('API.md', 'Constructs and their properties'),
      ...filesOf(FOLDERS.reference).map((file) => entry(file)),
    ],
  },
  {
    text: 'How it is made',
    items: ['ARCHITECTURE.md', 'docs/walk.md', 'docs/glossary.md', 'CONTRIBUTING.md'].map((file) =>
      entry(file),
    ),
  },
  { text: 'Decisions', collapsed: true, items: filesOf('docs/decisions').map(decision) },
];
