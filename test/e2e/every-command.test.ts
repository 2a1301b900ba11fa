import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type Command,
  type CommandSample,
  type ServerVersion,
  isAvailable,
  samplesFor,
} from '../support/command-catalogue.js';
import { type EqualOptions, expectEqual } from '../support/equal.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { QUICK, statusOf } from './observe.js';

/** What the whole catalogue may take on a machine that is busy. */
const DEADLINE_MS = 60_000;
/** By how much a busy machine may be late to read a burst. */
const LATE_READING_MS = 5000;

let pair: Pair;
let version: ServerVersion;

async function link(options: PairOptions = {}): Promise<void> {
  pair = await startPair({ env: QUICK, ...options });
  version = await versionOf(pair.east.redis);
}

async function expectQuietAndEqual(): Promise<void> {
  await quiet(pair, { deadlineMs: DEADLINE_MS });
  await expectEqual(pair.east.redis, pair.west.redis, comparison());
}

/** The stream of Redis 6.2 says how long a key lives from the moment the command is read, not until when. */
function comparison(): EqualOptions {
  if (isAvailable('redis 7.0, valkey 7.2', version)) return { functions: true };
  return { functions: false, expiryToleranceMs: LATE_READING_MS };
}

function knowsFunctions(): boolean {
  return isAvailable('redis 7.0, valkey 7.2', version);
}

describe('every command of the catalogue', () => {
  beforeAll(() => link());
  afterAll(() => pair.close());

  test.each(['east', 'west'] as const)(
    'crosses from %s, its ground and its effect, and leaves the same',
    async (name) => {
      const site = pair[name];
      const samples = narrow(`${name}:`);
      expect(samples.length).toBeGreaterThan(180);
      await runAll(site, samples, (sample) => sample.setup);
      await expectQuietAndEqual();
      await runAll(site, samples, (sample) => [sample.command]);
      await expectQuietAndEqual();
      await expectNothingLeftOut();
    },
    2 * DEADLINE_MS,
  );

  test('crosses when everything stands in one burst, in both directions at once', async () => {
    const both = [pair.east, pair.west].map((site) =>
      runAll(site, narrow(`burst:${site.name}:`), (sample) => [...sample.setup, sample.command]),
    );
    await Promise.all(both);
    await expectQuietAndEqual();
    await expectNothingLeftOut();
  });
});

describe('a command that reaches beyond its own keys', () => {
  beforeAll(() => link({ env: { ...QUICK, TANDEM_FLUSH: 'replicate' } }));
  afterAll(() => pair.close());

  test('crosses too, and the sites go on being linked', async () => {
    const samples = samplesFor(version, 'wide:').filter(({ wide }) => wide);
    expect(samples.map(({ name }) => name)).toContain('FLUSHALL');
    for (const sample of samples) {
      for (const site of [pair.east, pair.west]) {
        await site.redis.set(`before:${site.name}`, sample.title);
        await site.redis.select(10);
        await site.redis.set(`before:${site.name}`, sample.title);
        await site.redis.select(0);
        await expectQuietAndEqual();
        await runAll(site, [sample], ({ setup, command }) => [...setup, command]);
        await quiet(pair, { deadlineMs: DEADLINE_MS });
        await expectEqual(pair.east.redis, pair.west.redis, comparison()).catch((error: unknown) => {
          throw new Error(`after ${sample.title} at ${site.name}: ${String(error)}`, { cause: error });
        });
      }
    }
    await expectNothingLeftOut();
  });
});

describe('with the configuration as it comes', () => {
  beforeAll(() => link());
  afterAll(() => pair.close());

  test('FLUSHDB and FLUSHALL stay local, are counted, and the sites go on being linked', async () => {
    const { east, west } = pair;
    await east.redis.set('kept', 'x');
    await expectQuietAndEqual();
    await east.redis.flushall();
    await east.redis.set('after', 'y');
    await until('the write after the flush to cross', () => west.redis.get('after'));
    await quiet(pair, { deadlineMs: DEADLINE_MS });
    expect(await west.redis.get('kept')).toBe('x');
    expect(await east.redis.get('kept')).toBeNull();
    await west.redis.set('back', 'z');
    await until('a write of the other side to cross', () => east.redis.get('back'));
    await west.redis.del('kept');
  });

  test.each(['PUBLISH', 'SPUBLISH'] as const)(
    'a message of %s reaches a subscriber of the other side, once',
    async (name) => {
      if (name === 'SPUBLISH' && !knowsFunctions()) return;
      const { east, west } = pair;
      const subscriber = west.server.client();
      const heard: string[] = [];
      subscriber.on('message', (_channel, message: string) => heard.push(message));
      subscriber.on('smessage', (_channel: string, message: string) => heard.push(message));
      await (name === 'PUBLISH' ? subscriber.subscribe('news') : subscriber.ssubscribe('news'));
      const messages = Array.from({ length: 100 }, (_, index) => `message ${index}`);
      for (const message of messages) await east.redis.call(name, 'news', message);
      await east.redis.eval(`redis.call('${name}', 'news', 'from a script')`, 0);
      await quiet(pair);
      subscriber.disconnect();
      expect(heard).toEqual([...messages, 'from a script']);
    },
  );

  test('a function loaded at one site can be called at the other', async (context) => {
    if (!knowsFunctions()) context.skip();
    const code =
      "#!lua name=lib\nredis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)";
    await pair.east.redis.call('FUNCTION', 'LOAD', code);
    await quiet(pair);
    expect(await pair.west.redis.call('FCALL', 'add', '1', 'sum', '5')).toBe(5);
    await quiet(pair);
    expect(await pair.east.redis.get('sum')).toBe('5');
  });
});

describe('what the configuration leaves out', () => {
  afterEach(() => pair.close());

  test('databases: only those named cross', async () => {
    await link({ env: { ...QUICK, TANDEM_FILTERS_DATABASES: '0,3' } });
    for (const database of [0, 2, 3])
      await inDatabase(pair.east, database, (redis) => redis.set('key', database));
    await quiet(pair);
    const found = await Promise.all(
      [0, 2, 3].map((database) => inDatabase(pair.west, database, (redis) => redis.get('key'))),
    );
    expect(found).toEqual(['0', null, '3']);
  });

  test('keys: what is not included or is excluded stays, and a command on both kinds is not half sent', async () => {
    await link({
      env: {
        ...QUICK,
        TANDEM_FILTERS_KEYS_INCLUDE: 'app:*,tandem-test:*',
        TANDEM_FILTERS_KEYS_EXCLUDE: 'app:local:*',
      },
    });
    const { east, west } = pair;
    await east.redis.mset('app:a', '1', 'app:b', '2');
    await east.redis.set('other', '3');
    await east.redis.set('app:local:x', '4');
    await east.redis.mset('app:c', '5', 'other', '6');
    await quiet(pair);
    const names = ['app:a', 'app:b', 'other', 'app:local:x', 'app:c'];
    expect(await west.redis.mget(...names)).toEqual(['1', '2', null, null, null]);
    const { skippedTotal } = (await statusOf(east)).capture;
    expect(skippedTotal).toMatchObject({ filtered: 2, 'split-by-filter': 1 });
  });

  test('commands: the excluded ones stay', async () => {
    await link({ env: { ...QUICK, TANDEM_FILTERS_COMMANDS_EXCLUDE: 'append,xadd' } });
    const { east, west } = pair;
    await east.redis.set('text', 'a');
    await east.redis.append('text', 'b');
    await east.redis.xadd('stream', '1-1', 'f', 'v');
    await quiet(pair);
    expect(await west.redis.get('text')).toBe('a');
    expect(await west.redis.exists('stream')).toBe(0);
  });

  test('messages: none when they are off', async () => {
    await link({ env: { ...QUICK, TANDEM_PUBLISH: 'false' } });
    expect(await heardAtWest(['any'])).toEqual([]);
  });

  test('messages: those of the included channels alone', async () => {
    await link({
      env: {
        ...QUICK,
        TANDEM_PUBLISH_CHANNELS_INCLUDE: 'news:*',
        TANDEM_PUBLISH_CHANNELS_EXCLUDE: 'news:local',
      },
    });
    expect(await heardAtWest(['news:a', 'news:local', 'other'])).toEqual(['news:a']);
  });
});

/** Publishes once on each channel at east; the channels whose message arrived. */
async function heardAtWest(channels: string[]): Promise<string[]> {
  const subscriber = pair.west.server.client();
  const heard: string[] = [];
  subscriber.on('message', (channel: string) => heard.push(channel));
  await subscriber.subscribe(...channels);
  for (const channel of channels) await pair.east.redis.publish(channel, 'message');
  await quiet(pair);
  subscriber.disconnect();
  return heard;
}

function narrow(prefix: string): CommandSample[] {
  return samplesFor(version, prefix).filter(({ wide }) => !wide);
}

/** Runs steps of samples on one connection, in order; an error names the sample. */
async function runAll(
  site: Site,
  samples: CommandSample[],
  steps: (sample: CommandSample) => readonly Command[],
): Promise<void> {
  const client = site.server.client();
  try {
    const sent = samples.flatMap((sample) =>
      [['SELECT', String(sample.database ?? 0)], ...steps(sample)].map((command) =>
        send(client, sample, command),
      ),
    );
    await Promise.all(sent);
  } finally {
    client.disconnect();
  }
}

async function send(client: Redis, sample: CommandSample, [name, ...args]: Command): Promise<unknown> {
  try {
    return await client.call(String(name), ...args);
  } catch (error) {
    throw new Error(`${sample.title}: ${String(error)}`, { cause: error });
  }
}

async function inDatabase<T>(site: Site, database: number, work: (redis: Redis) => Promise<T>): Promise<T> {
  const client = site.server.client({ db: database });
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

/** No change was rejected by the other server, none was left out, none was of an unknown command. */
async function expectNothingLeftOut(): Promise<void> {
  for (const site of [pair.east, pair.west]) {
    const { rejected, capture } = await statusOf(site);
    expect({ rejected, skipped: capture.skippedTotal, unknown: capture.unknownTotal }, site.name).toEqual({
      rejected: 0,
      skipped: {},
      unknown: 0,
    });
  }
}

async function versionOf(client: Redis): Promise<ServerVersion> {
  const info = await client.info('server');
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
  const redis = /^redis_version:(\S+)/m.exec(info)?.[1] ?? '';
  return valkey === undefined ? { kind: 'redis', version: redis } : { kind: 'valkey', version: valkey };
}
