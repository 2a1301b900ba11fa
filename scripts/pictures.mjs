// The pictures behind scripts/pictures: a pair that is written, photographed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { DemoPair, until } from './demo-pair.mjs';

const OUT = fileURLToPath(new URL('../docs/pictures', import.meta.url));
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
/** As far as the plots reach. */
const WIDE = { width: 1000, height: 764 };
const NARROW = { width: 400, height: 900 };
const COLUMNS = 84;
const ROWS = 26;
const TOP_MS = 32_000;
const TICK_MS = 100;
/** The writes of a site, a tick: they rise and fall over so many seconds. */
const WRITES = { east: 60, west: 15 };
const WAVE_SECONDS = 90;
/** Every so many ticks both sites write one key. */
const SHARED_TICKS = 4;
const DEADLINE_MS = 30_000;

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '240' },
    ports: { type: 'string', default: '6411,6412,8411,8412' },
  },
});

const pair = new DemoPair(options.ports.split(',').map(Number), (what) => {
  console.error(`pictures: ${what}`);
  process.exit(1);
});
process.on('exit', () => pair.destroy());
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

mkdirSync(OUT, { recursive: true });
await pair.start();
const stop = new AbortController();
const writing = write(stop.signal);
await delay(Number(options.seconds) * 1000 - TOP_MS);
await pair.tandem('east', 'verify');
const top = await onTerminal(['top'], TOP_MS);
const status = await onTerminal(['status']);
const browser = await chromium.launch({
  executablePath: process.env.TANDEM_TEST_CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage'],
});
try {
  await takePage('status-page', WIDE, 'light');
  await takePage('status-page-dark', WIDE, 'dark');
  await takePage('status-page-narrow', NARROW, 'light');
  await takeTerminal('top', 'tandem top', lastScreen(top));
  await takeTerminal('status', 'tandem status', status);
} finally {
  stop.abort();
  await writing;
  await browser.close();
}
await pair.end();
process.exit(0);

/** Both sites write until the signal aborts, mostly keys of their own. */
async function write(signal) {
  const began = performance.now();
  for (let tick = 0; !signal.aborted; tick++) {
    const wave = 0.6 + 0.4 * Math.sin(((performance.now() - began) / 1000 / WAVE_SECONDS) * 2 * Math.PI);
    await Promise.all(
      Object.entries(WRITES).map(([site, most]) => writeOnce(site, Math.ceil(most * wave), tick)),
    );
    await delay(TICK_MS);
  }
}

async function writeOnce(site, count, tick) {
  const pipeline = pair.clients[site].pipeline();
  if (tick % SHARED_TICKS === 0) pipeline.set(`price:${tick % 7}`, `${site} ${tick}`);
  for (let n = 0; n < count; n++)
    pipeline.hset(`order:${site}:${(tick * count + n) % 5000}`, 'state', 'paid', 'at', String(tick));
  await pipeline.exec();
}

/** What a command prints on a terminal. @param forMs then it is told to end */
async function onTerminal(args, forMs) {
  const env = { PATH: process.env.PATH, TERM: 'xterm-256color', ...pair.settingsOf('east') };
  const command = `stty cols ${COLUMNS} rows ${ROWS}; exec '${process.execPath}' '${CLI}' ${args.join(' ')}`;
  const child = spawn('script', ['--quiet', '--flush', '--command', command, '/dev/null'], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  const ended = once(child, 'close');
  if (forMs !== undefined) {
    await delay(forMs);
    child.stdin.write('q');
  }
  await ended;
  return text;
}

/** What a screen that is drawn over showed last. */
function lastScreen(text) {
  const screens = text.split('\u001B[?1049l')[0].split('\u001B[H');
  return screens.at(-1);
}

async function takePage(name, viewport, colorScheme) {
  const page = await browser.newPage({ viewport, colorScheme });
  await page.goto(pair.pageOf('east'));
  await page.getByText('all is well').waitFor({ timeout: DEADLINE_MS });
  await until(
    'the plots are drawn',
    async () => (await page.locator('.plots canvas').count()) === 4,
    DEADLINE_MS,
  );
  await page.screenshot({ path: `${OUT}/${name}.png` });
  await page.close();
}

/** Letters in the colours of a terminal, in a frame. */
async function takeTerminal(name, command, text) {
  const page = await browser.newPage({ viewport: { width: 900, height: 700 } });
  await page.setContent(`<style>
    body { margin: 0; background: #fff }
    main { display: inline-block; padding: 14px 18px; background: #16181d; color: #d8dbe0; white-space: pre;
           font: 14px/1.35 "DejaVu Sans Mono", monospace }
    .b { font-weight: bold; color: #fff } .d { color: #868b94 } .g { color: #7fd17f } .y { color: #e5c55b } .r { color: #f0716b }
  </style><main><span class="d">$ ${command}</span>\n${html(text)}</main>`);
  await page.locator('main').screenshot({ path: `${OUT}/${name}.png` });
  await page.close();
}

/** Of the codes of a terminal those for bold, dim and three colours; a code that ends one ends all. */
function html(text) {
  const classes = { 1: 'b', 2: 'd', 31: 'r', 32: 'g', 33: 'y' };
  const escaped = text.replaceAll('\r', '').replaceAll('&', '&amp;').replaceAll('<', '&lt;').trimEnd();
  let open = 0;
  // oxlint-disable-next-line no-control-regex
  return escaped.replaceAll(/\u001B\[([\d;?]*)([A-Za-z])/g, (_, code, kind) => {
    if (kind !== 'm') return '';
    if (classes[code] !== undefined) {
      open++;
      return `<span class="${classes[code]}">`;
    }
    if (open === 0) return '';
    open--;
    return '</span>';
  });
}
