/** The built site as a browser has it, in Debian's chromium: `npm run docs` builds it, and runs this. */
import { readFileSync, readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, posix } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { NO_PAGES, REPOSITORY, REWRITES, ROOT, SIDEBAR, siteLink } from '../../../site/pages.js';
import { needs, programOf } from '../support/daemon.js';

const DIST = join(ROOT, 'site', '.vitepress', 'dist');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.png': 'image/png',
};
const files = readdirSync(DIST, { recursive: true, encoding: 'utf8' }).filter((name) => extname(name) !== '');
const built = (name: string) => readFileSync(join(DIST, name), 'utf8');
const pages = new Map(files.filter((name) => name.endsWith('.html')).map((name) => [name, built(name)]));
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found]) => found!);
const htmlOf = (page: string) => page.replace(/\.md$/, '.html');

describe('the site', () => {
  it('has a page of every document, and all are in the sidebar', () => {
    const documents = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`);
    expect(documents.length).toBeGreaterThan(60);
    expect(Object.keys(REWRITES)).toEqual(expect.arrayContaining(documents));
    const served = Object.values(REWRITES).map(htmlOf);
    expect([...pages.keys()].sort()).toEqual([...served, '404.html'].sort());
    const listed = SIDEBAR.flatMap(({ items }) =>
      items.map(({ link }) => `${link.slice(1) || 'index'}.html`),
    );
    expect(listed.sort()).toEqual(served.sort());
    expect(NO_PAGES).toContain('proxy/**');
  });

  it('links to pages, headings and files that there are', () => {
    const links = [...pages].flatMap(([page, html]) =>
      matches(html, /<a [^>]*?href="((?!https?:)[^"]*)"/g).map((href) => [page, href] as const),
    );
    expect(links.length).toBeGreaterThan(1000);
    const dead = links.filter(([page, href]) => {
      const { pathname, hash } = new URL(href, `http://site/${page}`);
      const html = pages.get(pathname === '/' ? 'index.html' : pathname.slice(1));
      const id = decodeURIComponent(hash.slice(1));
      return html === undefined || (id !== '' && !html.includes(` id="${id}"`));
    });
    expect(dead).toEqual([]);
    expect(() => siteLink('docs/walk.md', '../nowhere.ts')).toThrow('docs/walk.md: link to ../nowhere.ts');
    expect(siteLink('docs/guides/deploy.md', '../../SECURITY.md#a')).toBe('/security.md#a');
    expect(pages.get('reference/proof.html')).toContain(
      `href="${REPOSITORY}/blob/main/test/e2e/replicas.test.ts"`,
    );
  });

  it('names nothing of another origin that a browser would load', () => {
    const loads = /<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)="((?:https?:)?\/\/[^"]*)"/g;
    for (const [page, html] of pages) {
      expect([page, matches(html, loads)]).toEqual([page, []]);
      expect([page, html.includes(`content="default-src 'self';`)]).toEqual([page, true]);
    }
    const styles = files.filter((name) => name.endsWith('.css')).map(built);
    expect(styles.length).toBeGreaterThan(0);
    expect(matches(styles.join('\n'), /(?:url\(|@import\s)["']?((?:https?:)?\/\/[^"')]*)/g)).toEqual([]);
  });
});

function serveSite(): Promise<Server> {
  const server = createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://site');
    const name = posix.normalize(pathname === '/' ? '/index.html' : decodeURI(pathname)).slice(1);
    if (!files.includes(name)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream' });
    response.end(readFileSync(join(DIST, name)));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const program = programOf('chromium');
needs('the site in a browser', program === undefined ? ['chromium'] : []);
(program === undefined ? describe.skip : describe)('the site in a browser', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  let origin: string;
  const requests: string[] = [];
  const wrong: string[] = [];

  beforeAll(async () => {
    server = await serveSite();
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({ executablePath: program! });
    page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
    await page.route('**/*', (route) => {
      const url = route.request().url();
      requests.push(url);
      return url.startsWith(`${origin}/`) || url.startsWith('data:') ? route.continue() : route.abort();
    });
    page.on('console', (message) => {
      if (message.type() === 'error') wrong.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  }, 30_000);

  it('begins with the quick start, and every page is one click away', async () => {
    await page.goto(origin);
    expect(await page.locator('main h1').textContent()).toContain('cdk8s-agentgateway');
    await page.locator('.VPSidebar').getByRole('link', { name: 'From Bearer to proofs' }).click();
    await page.locator('main h1:has-text("From Bearer to proofs")').waitFor();
    expect(page.url()).toBe(`${origin}/guides/migration.html`);
  });

  it('finds a word, and leads to its page', async () => {
    await page.locator('.VPNavBarSearch button').click();
    await page.locator('#localsearch-input').fill('nonce');
    const first = page.locator('#localsearch-list a').first();
    await first.waitFor();
    const href = await first.getAttribute('href');
    expect(await first.textContent()).toMatch(/nonce/i);
    await first.click();
    await page.waitForURL(`${origin}${href}`);
    await page.locator('main', { hasText: /nonce/i }).waitFor();
  });

  const drawn = Object.entries(REWRITES)
    .map(([file, at]) => ({
      at: htmlOf(at),
      blocks: readFileSync(join(ROOT, file), 'utf8').split('```mermaid').length - 1,
    }))
    .filter(({ blocks }) => blocks > 0);
  it.each(drawn)('draws the diagrams of $at', async ({ at, blocks }) => {
    await page.goto(`${origin}/${at}`);
    await page
      .locator('main .mermaid svg')
      .nth(blocks - 1)
      .waitFor();
    expect(await page.locator('main .mermaid svg').count()).toBe(blocks);
    expect(await page.locator('main .mermaid svg g.node, main .mermaid svg .actor').count()).toBeGreaterThan(
      4,
    );
  });

  it('asked nobody else for anything, and did nothing that a browser complains of', () => {
    expect(requests.length).toBeGreaterThan(20);
    expect(requests.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith('data:'))).toEqual([]);
    expect(wrong).toEqual([]);
  });
});
