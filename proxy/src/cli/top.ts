/** `agw top`: what a gateway says of itself, in a terminal. */
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { viewOf, type StatusSection } from '../admin/status-view.js';
import type { GatewayStatus } from '../observe/status.js';
import { jsonLine, required, type Command, type ScreenSize } from './command.js';
import { askStatus, statusUrl } from './read-status.js';
import { visible } from './visible.js';

const REFRESH_MS = 2_000;
/** ECMA-48: the cursor to the first cell, and nothing on the screen. */
const CLEAR = '\x1b[H\x1b[2J';

export const top: Command = {
  usage: 'top --admin URL [--once] [--json]   again every 2 s in a terminal, else once; 1: it is not ready',
  summary:
    'shows whether a gateway is ready and why not, what it refuses, and which keys and certificates it has',
  async run(args, { out, screen }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        admin: { type: 'string' },
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const url = statusUrl(required(values, 'admin'));
    const first = await askStatus(url);
    if (values.json || values.once || screen === undefined) {
      out(values.json ? jsonLine(first) : linesOf(first, url).join('\n'));
      return first.ready ? 0 : 1;
    }
    for (let lines = linesOf(first, url); ;) {
      out(frame(lines, screen()));
      await sleep(REFRESH_MS);
      // A gateway that is away may come back.
      lines = await askStatus(url).then(
        (status) => linesOf(status, url),
        (cause: Error) => [cause.message, 'tries again; ^C ends it'],
      );
    }
  },
};

function linesOf(status: GatewayStatus, { origin }: URL): string[] {
  const { headline, sections } = viewOf(status);
  const lines = [`agent gateway ${origin}: ${headline}`, status.time];
  for (const section of sections) lines.push('', section.title, ...tableLines(section));
  return lines.map(visible);
}

/** Columns as wide as their longest cell. */
function tableLines({ head, rows }: StatusSection): string[] {
  const all = (head.length === 0 ? rows : [head, ...rows]).map((row) => row.map(visible));
  const widths = all.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, cell.length)),
    [],
  );
  return all.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')}`.trimEnd());
}

/** A whole screen: no line is broken in two, none moves the first one away. */
export function frame(lines: readonly string[], { rows, columns }: ScreenSize): string {
  // The last row is that of the cursor.
  const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => line.slice(0, columns));
  return `${CLEAR}${shown.join('\n')}`;
}
