/** The commands of a guide: its fenced blocks of `sh`, in order. */

export interface Block {
  /** Of the section that it stands in. */
  readonly title: string;
  readonly commands: string;
  /** Why it cannot run here: the marker on the line before it says so. */
  readonly notRun: string | undefined;
}

const HEADING = /^#+ (?<title>.*)$/;
const MARKER = /^<!-- not run by the tests: (?<reason>.+) -->$/;

export function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  let title = '';
  for (let i = 0; i < lines.length; i++) {
    title = HEADING.exec(lines[i]!)?.groups!.title ?? title;
    if (!lines[i]!.startsWith('```')) continue;
    const end = lines.indexOf('```', i + 1);
    if (end === -1) throw new Error(`line ${i + 1}: a block that does not end`);
    if (lines[i] === '```sh') {
      const notRun = MARKER.exec(lines[i - 1] ?? '')?.groups!.reason;
      blocks.push({ title, commands: lines.slice(i + 1, end).join('\n'), notRun });
    }
    i = end;
  }
  return blocks;
}
