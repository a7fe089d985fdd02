/** docs/runbook.md has a section for each alert, and names only what there is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayAlert } from '../../lib';
import { root } from '../support/synth';

const read = (...path: string[]) => readFileSync(join(root, 'docs', ...path), 'utf8');
const page = read('runbook.md');
const sections = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ title: text.split('\n', 1)[0], text }));
const alerts = sections.filter(({ title }) => title.startsWith('Agentgateway'));
/** As GitHub and most renderers make it of a heading. */
const anchorOf = (title: string) =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
const namesIn = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name);
/** First cells of the rows of a page's tables. */
const rowsOf = (name: string) =>
  new Set([...read('reference', name).matchAll(/^\| `([^`]+)` \|/gm)].map(([, cell]) => cell));

describe('the runbook', () => {
  it('has a section for each alert, and none for another', () => {
    expect(alerts.map(({ title }) => title).sort()).toEqual(Object.values<string>(GatewayAlert).sort());
  });
  it.each(alerts)('$title: says what it means, what users see, where to look and what to do', ({ text }) => {
    const parts = [...text.matchAll(/^\*\*([^*]+):\*\* ./gm)].map(([, name]) => name);
    expect(parts).toEqual(['It means', 'Users see', 'Look at', 'Do']);
  });
  it.each(sections)('$title: names metrics, audit fields and reasons that there are', ({ text }) => {
    const names = namesIn(text);
    const isMetric = (name: string) => /^(agentgateway|process|nodejs)_/.test(name);
    const isField = (name: string) =>
      /^(jwt|dpop|request|response|upstream)\.[a-z_]+$|^client\.address$/.test(name);
    const isReason = (name: string) =>
      /^(dpop|token|upstream|replay_store|keys|introspection|exchange|credential|internal)_[a-z_]+$/.test(
        name,
      );
    expect(names.filter((name) => isMetric(name) && !rowsOf('metrics.md').has(name))).toEqual([]);
    expect(names.filter((name) => isField(name) && !rowsOf('audit.md').has(name))).toEqual([]);
    expect(names.filter((name) => isReason(name) && !rowsOf('errors.md').has(name))).toEqual([]);
  });
  it('leads to sections that there are', () => {
    const anchors = sections.map(({ title }) => anchorOf(title));
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
    expect(links.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
  });
});
