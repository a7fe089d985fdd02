/**
 * The status page as a browser has it: of the shipped gateway, in Debian's chromium. With UPDATE_DOCS=1 it also takes
 * the picture of docs/reference/status.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { hasRedis, RedisProcess } from '../../../proxy/test/replay/redis-process.js';
import { request } from '../../../proxy/test/support/gateway.js';
import { ec, jwkOf } from '../../../proxy/test/support/mint.js';
import { needs, programOf } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { openScene, type Scene } from '../support/scene.js';

const PICTURE = join(import.meta.dirname, '..', '..', '..', 'docs', 'images', 'status.png');
const MOST_PICTURE_BYTES = 150_000;
const HOSTILE_KID = '<img src=x onerror="alert(1)">';
const HOSTILE_ISSUER = 'https://other.example/</td><script>alert(2)</script>';
/** The page loads itself again every 5 s, and the gateway notices within a second. */
const RELOADED_MS = 15_000;

const program = programOf('chromium');
const missing = [...(program === undefined ? ['chromium'] : []), ...(hasRedis() ? [] : ['redis-server'])];
needs('the status page', missing);
(missing.length === 0 ? describe : describe.skip)('the status page in a browser', () => {
  let scene: Scene;
  let redis: RedisProcess;
  let gateway: GatewayProcess;
  let browser: Browser;
  let page: Page;
  /** What a page must not do, as it did it. */
  const wrong: string[] = [];
  const requests: string[] = [];
  const ask = (what = scene.ask()) => request(gateway.port, what);
  const heading = (text: string) => page.locator('h1', { hasText: text }).waitFor({ timeout: RELOADED_MS });
  /** Cells of the rows of a section. */
  const rowsOf = (title: string): Promise<string[][]> =>
    page
      .locator(`h2:text-is("${title}") + table tr:has(td)`)
      .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent ?? '')));

  beforeAll(async () => {
    scene = await openScene();
    redis = await RedisProcess.start();
    gateway = await startGatewayProcess(configOf(scene, redis.port), { dir: scene.dir, name: 'gateway' });
    browser = await chromium.launch({ executablePath: program! });
    page = await browser.newPage({ viewport: { width: 1040, height: 900 } });
    page.on('request', (asked) => requests.push(asked.url()));
    page.on('console', (message) => wrong.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => {
      wrong.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
    await redis?.stop();
    scene?.stop();
  }, 30_000);

  it('says that it is ready, what was answered, and what was refused for which reason', async () => {
    const once = scene.ask();
    expect((await ask(once)).status).toBe(200);
    expect((await ask(once)).status).toBe(401);
    await page.goto(`http://127.0.0.1:${gateway.adminPort}/`);
    await heading('Agent gateway: ready');
    expect(await rowsOf('Routes')).toEqual([
      ['mcp', '/mcp', 'dpop', 'strict', '1', '1'],
      ['loose', '/loose', 'dpop', 'permissive', '0', '0'],
      ['(no route)', '', '', '', '0', '0'],
    ]);
    expect(await rowsOf('Refusals')).toEqual([
      ['mcp', 'dpop_replayed', '1', expect.stringMatching(/^\d+ s ago$/)],
    ]);
    expect(await rowsOf('Weakened')).toEqual([[expect.stringContaining('"loose" refuses nothing')]]);
    expect(await rowsOf('Gateway')).toContainEqual([
      'replay store',
      expect.stringMatching(new RegExp(`^redis 127\\.0\\.0\\.1:${redis.port}, remembers since 20.+ ago$`)),
    ]);
  });

  it('takes its picture', async () => {
    const picture = await page.screenshot({ type: 'png', fullPage: true });
    expect(picture.length).toBeLessThan(MOST_PICTURE_BYTES);
    if (process.env.UPDATE_DOCS !== '1') return;
    mkdirSync(dirname(PICTURE), { recursive: true });
    writeFileSync(PICTURE, picture);
  });

  it('shows as text what others chose, also of a config that comes later', async () => {
    gateway.rewrite(withHostileIssuer(configOf(scene, redis.port), scene.dir));
    gateway.child.kill('SIGHUP');
    await page.locator('td', { hasText: HOSTILE_ISSUER }).waitFor({ timeout: RELOADED_MS });
    expect(await rowsOf('Issuers')).toEqual([
      ['as', 'https://as.example', '1', expect.stringContaining('ago'), 'as-1'],
      ['other', HOSTILE_ISSUER, '1', expect.stringContaining('ago'), HOSTILE_KID],
    ]);
    expect(await page.locator('img, script').count()).toBe(0);
  }, 30_000);

  it('is styled by its own policy', async () => {
    const border = await page
      .locator('h1')
      .evaluate((h1) => h1.ownerDocument.defaultView!.getComputedStyle(h1).borderLeftColor);
    expect(border).toBe('rgb(46, 125, 50)');
  });

  it('says by itself that Redis is away, and that it is back', async () => {
    await redis.kill();
    await heading('Agent gateway: not ready: waits for replay store');
    expect((await ask()).status).toBe(503);
    await page.locator('td:text-is("replay_store_down")').waitFor({ timeout: RELOADED_MS });
    expect(await rowsOf('Gateway')).toContainEqual([
      'replay store',
      expect.stringContaining('cannot be reached'),
    ]);
    await redis.restart();
    await heading('Agent gateway: ready');
  }, 60_000);

  it('asked nobody else for anything, and did nothing that a browser complains of', () => {
    expect(requests.length).toBeGreaterThan(2);
    const origin = `http://127.0.0.1:${gateway.adminPort}/`;
    expect(requests.filter((url) => url !== origin && !url.startsWith('data:'))).toEqual([]);
    expect(wrong).toEqual([]);
  });
});

/** Beside the scene's own route one that only records. */
function configOf({ config }: Scene, redisPort: number): ConfigInput {
  const [mcp] = config.routes;
  const loose = { ...mcp!.auth, mode: 'permissive' };
  return {
    ...config,
    replay: { store: 'redis', url: `redis://127.0.0.1:${redisPort}`, epochMarginSeconds: 0 },
    routes: [mcp!, { ...mcp!, name: 'loose', pathPrefix: '/loose', auth: loose } as typeof mcp & object],
  };
}

/** An issuer whose words are hostile. */
function withHostileIssuer(config: ConfigInput, dir: string): ConfigInput {
  const file = join(dir, 'other.json');
  const jwk = { ...jwkOf(ec()), kid: HOSTILE_KID, alg: 'ES256', use: 'sig' };
  writeFileSync(file, JSON.stringify({ keys: [jwk] }));
  return {
    ...config,
    issuers: [...config.issuers, { name: 'other', issuer: HOSTILE_ISSUER, jwks: { file } }],
  };
}
