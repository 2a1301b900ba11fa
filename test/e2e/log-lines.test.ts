import { afterEach, expect, test } from 'vitest';
import { runCli } from './run-cli.js';
import { LONG_BACKLOG, QUICK } from './observe.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import type { LogLine } from '../support/tandem-process.js';
import { until } from '../support/wait.js';

let pair: Pair | undefined;
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function started(options: PairOptions = {}): Promise<Pair> {
  const env = { ...QUICK, TANDEM_STATUS_INTERVAL_MS: '1000', ...options.env };
  pair = await startPair({ server: LONG_BACKLOG, ...options, env });
  return pair;
}

function linesOf(site: Site, from: number, wanted: string): LogLine[] {
  return site.log.slice(from).filter(({ msg }) => msg === wanted);
}

const BACKING_OFF = 'delivery to the peer is backing off';

test('a peer that cannot be reached is told of once for each reason, however often it is tried, and when it is back', async () => {
  const { east } = await started({ proxy: true, env: { TANDEM_LOG_LEVEL: 'debug' } });
  const from = east.log.length;
  east.network.cut();
  await east.redis.set('for', 'west');
  await until(
    'it to be tried many times',
    () => linesOf(east, from, 'delivery to the peer is still backing off').length > 10,
  );
  const told = linesOf(east, from, BACKING_OFF);
  expect(new Set(told.map(({ detail }) => detail)).size).toBe(told.length);
  expect(told.length).toBeLessThan(4);
  expect(Date.parse(String(told[0]!['since']))).toBeGreaterThan(0);
  const connecting = linesOf(east, from, 'delivery to the peer').filter(({ level }) => level === 'info');
  expect(connecting).toEqual([]);
  const status = await east.waitForLog(({ msg, detail }) => msg === 'status' && detail !== undefined, {
    from,
  });
  expect(status).toMatchObject({ direction: 'east to west' });

  east.network.resume();
  const line = await east.waitForLog('delivery to the peer', { from });
  expect(line).toMatchObject({ level: 'info', lastedMs: expect.any(Number) as number });
  expect(Number(line['attempts'])).toBeGreaterThan(10);
});

test('a peer whose process is away is told of, and so is its return', async () => {
  const { east, west } = await started();
  await west.kill();
  const from = east.log.length;
  const line = await east.waitForLog("nothing is heard of the peer's process", { from, deadlineMs: 20_000 });
  expect(line).toMatchObject({ level: 'warn', peer: 'west' });
  expect(Number(line['silentMs'])).toBeGreaterThanOrEqual(10_000);
  west.start();
  const back = await east.waitForLog("the peer's process is heard of again", { from, deadlineMs: 20_000 });
  expect(Number(back['silentMs'])).toBeGreaterThan(Number(line['silentMs']));
}, 120_000);

test('what the other site holds back is told where it is missed', async () => {
  const { east, west } = await started();
  const settings = {
    TANDEM_PAIR: 'test',
    TANDEM_SITE: 'west',
    TANDEM_PEER: 'east',
    TANDEM_LOCAL_URL: west.server.url,
  };
  expect((await runCli(['pause', 'inbound'], settings)).code).toBe(0);
  await west.waitForLog('a direction is paused');
  await east.redis.set('for', 'west');
  const line = await east.waitForLog(({ msg, atPeer }) => msg === 'status' && atPeer !== undefined);
  expect(line).toMatchObject({ direction: 'east to west', atPeer: 'paused' });
});

test('changes that are rejected by the hundred are each shown or counted, in a few lines', async () => {
  const { east, west } = await started({ west: { env: { TANDEM_FILTERS_KEYS_EXCLUDE: 'held:*' } } });
  await west.redis.set('held:a', 'no list');
  for (let i = 0; i < 300; i++) await east.redis.lpush('held:a', 'x');
  const told = (): LogLine[] => linesOf(west, 0, "a change of the peer's was rejected by this server");
  const counted = (): number => told().reduce((sum, { notShown }) => sum + 1 + Number(notShown), 0);
  await until('all of them to be told', () => counted() === 300, { deadlineMs: 30_000 });
  expect(told().length).toBeLessThan(10);
  expect(told()[0]).toMatchObject({ command: 'LPUSH', error: 'WRONGTYPE' });
}, 150_000);

test('a gap is told from its beginning to its end, and what will become of it', async () => {
  const { east } = await started({ server: { config: { 'repl-backlog-size': '16kb' } } });
  await east.kill();
  for (let i = 0; i < 100; i++) await east.redis.set(`key:${i}`, 'x'.repeat(10_000));
  const from = east.log.length;
  east.start();
  const end = await east.waitForLog('the gap is repaired: the sites hold the same data', {
    from,
    deadlineMs: 30_000,
  });
  expect(end).toMatchObject({ level: 'info', lastedMs: expect.any(Number) as number });
  const told = east.log.slice(from).map(({ msg }) => msg);
  const places = [
    told.findIndex((msg) => msg.startsWith('the replication stream no longer reaches back')),
    told.indexOf('a gap is open: the sites are compared and repaired by themselves'),
    told.indexOf('a job begins'),
    told.indexOf('the sites have been compared'),
  ];
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
}, 150_000);
