import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startPair, type Pair, type PairOptions } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';

const TOKEN = 'a-token-that-only-this-test-knows';
const MARKUP = '<img src=x onerror="document.title=1">';
const ARGS = ['--no-sandbox', '--disable-dev-shm-usage'];
const DEADLINE = { deadlineMs: 45_000 };

/** Runs in the page: what stands there for a moment only is noted. */
const NOTE_GAPS_AND_BARS = `
  globalThis.seen = new Set();
  new MutationObserver(() => {
    if (document.querySelector('.banner.bad')?.textContent.includes('a gap is open')) seen.add('gap');
    const bar = document.querySelector('#jobs progress');
    if (bar) seen.add('bar ' + bar.value);
  }).observe(document.body, { childList: true, subtree: true });
`;

let browser: Browser;
let pair: Pair | undefined;
/** What the page has asked for, and said of errors. */
let asked: string[] = [];
let complaints: string[] = [];
const dir = mkdtempSync(join(tmpdir(), 'tandem-page-'));
const tokenFile = join(dir, 'token');

beforeAll(async () => {
  writeFileSync(tokenFile, `${TOKEN}\n`);
  const executablePath = process.env['TANDEM_TEST_CHROMIUM'] || '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, args: ARGS });
});

async function close(): Promise<void> {
  await pair?.close();
  pair = undefined;
}

afterAll(async () => {
  await close();
  await browser?.close();
  rmSync(dir, { recursive: true, force: true });
});

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

/** The page of east in a browser. @param options for a pair of its own; without them, the one of the tests before */
async function open(options?: PairOptions): Promise<{ page: Page } & Pair> {
  if (options) await close();
  pair ??= await startPair({
    ...options,
    // Processes stand still while both sides are written: the lease must outlive that.
    env: {
      TANDEM_HTTP_DATA: 'true',
      TANDEM_HTTP_TOKEN_FILE: tokenFile,
      TANDEM_LEASE_MS: '60000',
      ...options?.env,
    },
  });
  const page = await browser.newPage();
  [asked, complaints] = [[], []];
  page.on('request', (request) => asked.push(request.url()));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(pair.east.httpUrl);
  await page.getByText('all is well').waitFor();
  return { ...pair, page };
}

async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).textContent()) ?? '';
}

/** Changes of a direction as its card shows them. */
async function shownChanges(page: Page, direction: string): Promise<number> {
  const text = await page.locator(`#${direction} dd`).nth(2).textContent();
  return Number((text ?? '').replaceAll(',', ''));
}

function post(url: string, body: unknown, headers: Record<string, string>): Promise<Response> {
  return fetch(`${url}/page/actions`, { method: 'POST', body: JSON.stringify(body), headers });
}

test('numbers follow what is written, in both directions, and nothing is fetched from elsewhere', async () => {
  const { page, east, west } = await open();
  const [sent, applied] = [await shownChanges(page, 'outbound'), await shownChanges(page, 'inbound')];
  for (let i = 0; i < 30; i++) {
    await east.redis.set(`east:${i}`, i);
    await west.redis.set(`west:${i}`, i);
  }
  await until(
    'the changes sent to be shown',
    async () => (await shownChanges(page, 'outbound')) >= sent + 30,
    DEADLINE,
  );
  await until(
    'the changes applied to be shown',
    async () => (await shownChanges(page, 'inbound')) >= applied + 30,
    DEADLINE,
  );
  await until('plots to be drawn', async () => (await page.locator('.plots canvas').count()) === 4, DEADLINE);
  await page.getByRole('button', { name: '1 h', exact: true }).click();
  await until('the other span to be asked for', () => asked.some((url) => url.endsWith('span=1h')), DEADLINE);
  expect(asked.filter((url) => !url.startsWith(east.httpUrl))).toEqual([]);
  expect(complaints).toEqual([]);
});

test('on a narrow screen, and in the dark, nothing stands beyond the edge', async () => {
  const { page } = await open();
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 400, height: 800 });
  // The plots follow the new width a moment later.
  await until(
    'nothing to stand beyond the edge',
    async () => {
      const [inner, outer] = await page.evaluate<[number, number]>(
        '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
      );
      return inner <= outer;
    },
    DEADLINE,
  );
  expect(complaints).toEqual([]);
});

test('who has the token pauses a direction, and everybody sees it', async () => {
  const { page, east, west } = await open();
  await page.locator('#token').fill(TOKEN);
  await page.getByRole('button', { name: 'Unlock actions' }).click();
  await page.locator('#outbound').getByRole('button', { name: 'Pause' }).click();
  await page.locator('#outbound').getByText('paused').waitFor();
  await page.locator('.banner').getByText('east to west: paused').waitFor();
  await east.redis.set('held', 'back');
  await page.locator('#outbound').getByRole('button', { name: 'Go on' }).click();
  await until('what was held back to cross', () => west.redis.get('held'), DEADLINE);
  await page.getByText('all is well').waitFor();
});

test('without the token, from another page, or with nonsense, nothing is done', async () => {
  const { east } = await open();
  const action = { kind: 'pause', direction: 'outbound' };
  const authorization = `Bearer ${TOKEN}`;
  const codes = [
    await post(east.httpUrl, action, {}),
    await post(east.httpUrl, action, { authorization: 'Bearer wrong' }),
    await post(east.httpUrl, action, { authorization, origin: 'https://elsewhere.example' }),
    await post(east.httpUrl, { kind: 'pause', direction: 'up' }, { authorization }),
    await post(east.httpUrl, 'x'.repeat(5000), { authorization }),
    await fetch(`${east.httpUrl}/page/actions`, { headers: { authorization } }),
  ].map(({ status }) => status);
  expect(codes).toEqual([401, 401, 403, 400, 400, 405]);
  expect(await east.redis.hlen('tandem:{test}:paused')).toBe(0);
});

/** Each key is set at both sites while neither knows of it. */
async function meet({ east, west }: Pick<Pair, 'east' | 'west'>, keys: readonly string[]): Promise<void> {
  for (const site of [east, west]) site.pause();
  for (const { redis, name } of [east, west]) {
    const pipeline = redis.pipeline();
    for (const key of keys) pipeline.set(key, name);
    await pipeline.exec();
  }
  for (const site of [east, west]) site.resume();
  await quiet({ east, west });
}

test('a name that looks like markup is text', async () => {
  const { page, east, west } = await open();
  await meet({ east, west }, [MARKUP]);
  await page.locator('#conflicts').getByText('img src=x').first().waitFor();
  expect(await page.locator('#conflicts img').count()).toBe(0);
  expect(await page.title()).toBe('Tandem test, east');
});

test('thousands of conflicts leave the page light', async () => {
  const { page, east, west } = await open();
  await meet(
    { east, west },
    Array.from({ length: 2000 }, (_, index) => `met:${index}`),
  );
  await until(
    'the conflicts to be counted',
    async () => /set own-stays [\d,]+|set theirs-stays [\d,]+/.test(await textOf(page, '#conflict-counts')),
    DEADLINE,
  );
  await page.locator('#conflicts tbody tr').first().waitFor();
  expect(await page.locator('#conflicts tbody tr').count()).toBeLessThanOrEqual(100);
  await page.locator('#pattern').fill('met:4*');
  await page.getByRole('button', { name: 'Show' }).click();
  await until(
    'the filter to hold',
    async () =>
      (await page.locator('#conflicts td:nth-child(4)').allTextContents()).every((key) =>
        key.startsWith('met:4'),
      ),
    DEADLINE,
  );
});

test('a page without a token file has no actions, and hides keys unless it is told to show them', async () => {
  const { page, east, west } = await open({
    env: { TANDEM_HTTP_DATA: 'false', TANDEM_HTTP_TOKEN_FILE: '' },
  });
  expect(await page.locator('#unlock').isVisible()).toBe(false);
  expect((await post(east.httpUrl, { kind: 'drop', id: '1-1' }, {})).status).toBe(404);
  await meet({ east, west }, ['secret-name']);
  await page.locator('#conflicts').getByText('(hidden)').first().waitFor();
  expect(await page.locator('body').textContent()).not.toContain('secret-name');
});

test('a gap is shown while it is there, and its repair with a bar', { timeout: 120_000 }, async () => {
  const { page, east, west } = await open({
    server: { config: { 'repl-backlog-size': '16kb' } },
    env: { TANDEM_SYNC_KEYS_PER_SECOND: '400', TANDEM_LEASE_MS: '1000' },
  });
  await page.evaluate(NOTE_GAPS_AND_BARS);
  await east.kill();
  await page.getByText('no answer from the process').waitFor();
  const pipeline = east.redis.pipeline();
  for (let i = 0; i < 2000; i++) pipeline.set(`missed:${i}`, 'x'.repeat(50));
  await pipeline.exec();
  east.start();
  const seen = (): Promise<string[]> => page.evaluate<string[]>('[...globalThis.seen]');
  await until('the gap to be shown', async () => (await seen()).includes('gap'), DEADLINE);
  await until(
    'a bar that moves',
    async () => (await seen()).filter((one) => one.startsWith('bar')).length >= 2,
    DEADLINE,
  );
  await until(
    'the gap to be mended',
    async () => (await textOf(page, '#banners')) === '' && (await textOf(page, '#overall')) === 'all is well',
    { deadlineMs: 60_000 },
  );
  await quiet({ east, west });
  expect(await west.redis.get('missed:1999')).not.toBeNull();
});
