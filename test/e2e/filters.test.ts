import { afterEach, expect, test } from 'vitest';
import { encodeList } from '../../src/protocol/messages/list.js';
import { encodeNeed, LACK } from '../../src/protocol/messages/state-request.js';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { monitorOf } from '../support/monitor.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { jobOf, settingsOf, verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, ownKeys, QUICK } from './observe.js';
import { runCli } from './run-cli.js';

const KEYS = ownKeys();
const LONG = { timeout: 120_000 };

let pair: Pair | undefined;
const monitors: { disconnect: () => void }[] = [];

afterEach(async () => {
  for (const monitor of monitors.splice(0)) monitor.disconnect();
  await pair?.close();
  pair = undefined;
});

/** East leaves out what it has under `secret:` and all of database 3; west leaves out nothing. */
async function started(prepare?: (east: Site, west: Site) => Promise<unknown>): Promise<Pair> {
  pair = await startPair({
    server: LONG_BACKLOG,
    env: QUICK,
    east: { env: { TANDEM_FILTERS_KEYS_EXCLUDE: 'secret:*', TANDEM_FILTERS_DATABASES: '0,1,2' } },
    start: false,
  });
  const { east, west } = pair;
  await prepare?.(east, west);
  for (const site of [east, west]) site.start();
  await quiet(pair);
  return pair;
}

async function withSecrets({ redis }: Site): Promise<void> {
  await redis.set('secret:string', 'hidden-value-of-east');
  await redis.rpush('secret:list', 'hidden-value-of-east');
  await redis.set('open', 1);
  const third = redis.duplicate({ db: 3 });
  await third.set('third:open', 'hidden-value-of-east');
  third.disconnect();
}

test(
  'what one site leaves out is no difference, and neither verify nor repair at the other brings any of it',
  LONG,
  async () => {
    const { east, west } = await started(withSecrets);
    const seen = await eavesdrop(west);
    await west.redis.set('secret:of west', 'crosses');
    await quiet(pair!);
    for (const [site, excluded] of [
      [west, 1],
      [east, 0],
    ] as const) {
      const { code, result, stderr } = await verifyAt(pair!, site);
      expect(result, stderr).toMatchObject({ differing: 0, undecided: 0, excluded, differences: [] });
      expect(code).toBe(0);
    }
    const repaired = await verifyAt(pair!, west, '--repair', '--prefer', 'east');
    expect(repaired.result).toMatchObject({ differing: 0, repaired: 0 });
    expect(await west.redis.keys('secret:*')).toEqual(['secret:of west']);
    expect(await east.redis.get('secret:of west')).toBe('crosses');
    expect(seen().filter((line) => /hidden|secret:string|secret:list|third:open/.test(line))).toEqual([]);
  },
);

test('whoever asks for what a site leaves out gets nothing: no state, no name, no digest', LONG, async () => {
  const { west } = await started(withSecrets);
  // The first copy sends states as well.
  for (const site of [pair!.east, west])
    await until(
      'the first copy to end',
      async () => (await jobOf(site, 'first-copy'))?.state === 'completed',
      {
        deadlineMs: 20_000,
      },
    );
  const seen = await eavesdrop(west);
  const names = ['secret:string', 'secret:list', 'secret:none'].map((name) => Buffer.from(name));
  const secret = names.map((key) => ({ database: 0, key }));
  const third = { database: 3, key: Buffer.from('third:open') };
  const ask = (bytes: Buffer): Promise<unknown> => west.redis.set(KEYS.out, bytes);
  for (const lack of Object.values(LACK))
    await ask(encodeNeed({ timestamp: 2 ** 52, lack, keys: [...secret, third] }));
  for (const database of [0, 3])
    await ask(encodeList({ session: 'forged', number: 1 + database, database, cursor: '0', count: 100 }));
  const triples = [...secret, third].flatMap(({ database, key }) => [database, key, '-']);
  await ask(encodeCommand(['TANDEM.COMPARE', 'forged', 9, ...triples]));
  await until(
    'the answers to come',
    () =>
      seen()
        .join('')
        .match(/TANDEM.ANSWER/) !== null,
    {
      deadlineMs: 20_000,
    },
  );
  await quiet(pair!);
  const lines = seen();
  expect(lines.filter((line) => /hidden|TANDEM.STATE|third:open[^x]*m\d/.test(line))).toEqual([]);
  // Up to the next command: the answer to the question names what was asked about.
  const listed = lines
    .join('')
    .match(/TANDEM\.LISTED(?:(?!\\r\\n\*).)*/g)!
    .join('');
  expect(listed).toContain('open');
  expect(listed).not.toContain('secret');
  // Of each key that was asked about it says alone that it is left out, also of one that does not exist.
  const answer = lines.find((line) => line.includes('TANDEM.ANSWER'))!;
  for (const { key } of [...secret, third])
    expect(answer).toContain(`${key.toString()}\\r\\n$1\\r\\nx\\r\\n`);
  expect(await west.redis.exists('secret:string', 'secret:list')).toBe(0);
});

test(
  'a first copy leaves alone what the peer leaves out and has, and brings what it has not',
  LONG,
  async () => {
    const { east, west } = await started(async (first, second) => {
      await first.redis.set('secret:both', 'east');
      await second.redis.set('secret:both', 'west');
      await second.redis.set('secret:west', 'west');
    });
    await until('the copy to end', async () => (await east.redis.get('secret:west')) === 'west', {
      deadlineMs: 20_000,
    });
    expect(await east.redis.get('secret:both')).toBe('east');
    expect(await west.redis.get('secret:both')).toBe('west');
  },
);

test('check names the filters that are not the same at both sites, and none that are', LONG, async () => {
  const { east, west } = await started();
  for (const site of [east, west]) {
    const { code, stdout } = await runCli(['check'], settingsOf(pair!, site));
    const named = stdout.split('\n').find((line) => line.includes('filters.'));
    if (site === west) {
      expect(named).toMatch(/warn .*filters\.databases, filters\.keysExclude$/);
      expect(stdout).not.toContain('secret');
    }
    expect(code).toBe(0);
  }
});

/** What the other site's process sends to a site's server from now on, as the server sees it. */
async function eavesdrop(site: Site): Promise<() => string[]> {
  const lines: string[] = [];
  const monitor = await monitorOf(site.redis);
  monitor.on('monitor', (_: string, args: string[]) => {
    if (args.some((arg) => arg.includes(KEYS.inbox))) lines.push(args.join(' ').replaceAll('\r\n', '\\r\\n'));
  });
  await site.redis.ping();
  monitors.push(monitor);
  return () => lines;
}
