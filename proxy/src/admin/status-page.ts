/**
 * The status as a page, made anew for each look: it has no script, so nothing that stands in it can be one. A browser
 * loads it again every few seconds.
 */
import { createHash } from 'node:crypto';
import type { GatewayStatus } from '../observe/status.js';
import { viewOf, type StatusSection } from './status-view.js';

const REFRESH_SECONDS = 5;

const STYLE = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
h1 { border-left: .5rem solid #c62828; padding-left: .75rem; }
h1.ready { border-color: #2e7d32; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .15rem 1.25rem .15rem 0; vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; }
td { font-variant-numeric: tabular-nums; }
`;

/**
 * Nothing is loaded but the style that stands in the page; no other page shows it in a frame.
 * @see https://www.w3.org/TR/CSP3/
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function statusPage(status: GatewayStatus): string {
  const { headline, isReady, sections } = viewOf(status);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<link rel="icon" href="data:,">
<title>${text(isReady ? 'ready' : 'not ready')} · agent gateway</title>
<style>${STYLE}</style>
</head>
<body>
<h1${isReady ? ' class="ready"' : ''}>Agent gateway: ${text(headline)}</h1>
<p>${text(status.time)}, again every ${REFRESH_SECONDS} s
· <a href="/status">JSON</a> · <a href="/metrics">metrics</a></p>
${sections.map(sectionHtml).join('\n')}
</body>
</html>
`;
}

function sectionHtml({ title, head, rows }: StatusSection): string {
  const headRow =
    head.length === 0 ? '' : `<tr>${head.map((name) => `<th>${text(name)}</th>`).join('')}</tr>\n`;
  return `<h2>${text(title)}</h2>
<table>
${headRow}${rows.map((row) => `<tr>${row.map((cell) => `<td>${text(cell)}</td>`).join('')}</tr>`).join('\n')}
</table>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Whatever it is, as text of the page. */
const text = (value: string): string => value.replace(/[&<>"']/g, (char) => ENTITIES[char]!);
