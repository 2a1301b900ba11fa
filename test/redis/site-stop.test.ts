import { Redis } from 'ioredis';
import { afterEach, expect, test, vi } from 'vitest';
import { loadConfig } from '../../src/config/config.js';
import { createLogger } from '../../src/log/log.js';
import { Site } from '../../src/site/site.js';
import { freePort } from '../support/ports.js';
import { useServer } from '../support/use-server.js';
import { until, within } from '../support/wait.js';

/** A site that has begun its work has sent no more than this; what comes later is as often as time goes by. */
const COMMANDS = 60;
const END_MS = 3000;
/** Without a further command for so long it is at work. */
const STEADY_MS = 400;

const { server: local } = useServer();
const { server: peer } = useServer();

afterEach(() => vi.restoreAllMocks());

function newSite(onLog: (line: string) => void, changes: Record<string, string> = {}): Site {
  const env = {
    TANDEM_PAIR: 'stop',
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: local().url,
    TANDEM_PEER_URL: peer().url,
    TANDEM_HTTP_PORT: '0',
  };
  const config = loadConfig({
    env: { ...env, TANDEM_LOG_LEVEL: 'debug', TANDEM_LOG_PRETTY: 'never', ...changes },
  });
  return new Site({ config, log: createLogger(config, { write: onLog }) });
}

/** Aborts when the command with this number is sent, or when there is none with it. Gives whether there was, and how it ended. */
async function stoppedAt(number: number): Promise<boolean> {
  const stop = new AbortController();
  let sent = 0;
  // oxlint-disable-next-line typescript/unbound-method -- called with the client it was taken from
  const send = Redis.prototype.sendCommand;
  const spy = vi.spyOn(Redis.prototype, 'sendCommand').mockImplementation(function (this: Redis, ...args) {
    sent++;
    if (sent === number) stop.abort();
    return send.apply(this, args);
  });
  const steady = setTimeout(() => stop.abort(), STEADY_MS);
  try {
    await within(`the end, told at command ${number}`, END_MS, newSite(() => {}).run(stop.signal));
  } finally {
    clearTimeout(steady);
    spy.mockRestore();
  }
  return sent >= number;
}

test(
  'a site ends whenever it is told to, at whatever step of its beginning',
  { timeout: 120_000 },
  async () => {
    let number = 1;
    while (number < COMMANDS && (await stoppedAt(number))) number++;
    expect(number).toBeGreaterThan(15);
  },
);

test('a site that is told to stop at the very moment it goes to work ends', async () => {
  const stop = new AbortController();
  const site = newSite((line) => {
    if (line.includes('active: this process works')) stop.abort();
  });
  await within('the end', END_MS, site.run(stop.signal));
  expect(stop.signal.aborted).toBe(true);
});

test('a site that cannot begin leaves nothing behind at each attempt, and warns once of what is the same', async () => {
  const stop = new AbortController();
  const lines: string[] = [];
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on('warning', onWarning);
  const found = (msg: string): string[] => lines.filter((line) => line.includes(msg));
  const url = `redis://127.0.0.1:${await freePort()}`;
  const quick = { TANDEM_BACKOFF_MIN_MS: '10', TANDEM_BACKOFF_MAX_MS: '20' };
  const site = newSite((line) => lines.push(line), { TANDEM_LOCAL_URL: url, ...quick });
  const over = site.run(stop.signal);
  await until('it to have tried often', () => found('beginning again').length > 24);
  stop.abort();
  await over;
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
  const checks = found('the preflight check warns').map(
    (line) => (JSON.parse(line) as { check: string }).check,
  );
  expect(checks).toEqual([...new Set(checks)]);
  expect(checks.length).toBeGreaterThan(0);
});
