/** The commands of a guide: its fenced blocks of `sh`, in order. */

export interface Block {
  /** Of the section that it stands in. */
  readonly title: string;
  readonly commands: string;
  /** Why it cannot run here: the marker on the line before it says so. */
  readonly notRun: string | undefined;
  /** Of a page whose blocks run beside a gateway on this machine: this one needs a cluster, as its marker says. */
  readonly needsCluster: boolean;
}

const HEADING = /^#+ (?<title>.*)$/;
/** One in a list is indented. */
const FENCE = /^(?<indent> *)```(?<language>.*)$/;
const MARKER = /^<!-- not run by the tests: (?<reason>.+) -->$/;
const CLUSTER = '<!-- in a cluster -->';

export function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  let title = '';
  for (let i = 0; i < lines.length; i++) {
    title = HEADING.exec(lines[i]!)?.groups!.title ?? title;
    const fence = FENCE.exec(lines[i]!)?.groups;
    if (fence === undefined) continue;
    const indent = fence.indent!;
    const end = lines.indexOf(`${indent}\`\`\``, i + 1);
    if (end === -1) throw new Error(`line ${i + 1}: a block that does not end`);
    if (fence.language === 'sh') {
      const before = lines[i - 1]?.trim() ?? '';
      const body = lines.slice(i + 1, end).map((line) => line.slice(indent.length));
      blocks.push({
        title,
        commands: body.join('\n'),
        notRun: MARKER.exec(before)?.groups!.reason,
        needsCluster: before === CLUSTER,
      });
    }
    i = end;
  }
  return blocks;
}
