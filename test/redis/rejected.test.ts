import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  dropRejected,
  findRejected,
  readRejected,
  retryRejected,
  type RejectedEntry,
} from '../../src/inbound/rejected-list.js';
import { serverCommands } from '../../src/redis/server-commands.js';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { parseNeed } from '../../src/protocol/messages/state-request.js';
import { readMessage } from '../../src/capture/internal-commands.js';
import { runScript } from '../../src/lua/scripts.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';
import { KEYS } from './internal-keys.js';

const { redis: client, server } = useServer({ isEmptied: true });
let monitor: Redis;
/** What was written to the key `out`. */
let said: Buffer[];

beforeAll(async () => {
  monitor = await server().client().monitor();
  monitor.on('monitor', (_: string, words: string[]) => {
    if (words[0] === 'SET' && words[1] === KEYS.out)
      said.push(Buffer.from((words[2] ?? '').replaceAll('\\r\\n', '\r\n')));
  });
});
afterAll(() => monitor.disconnect());
beforeEach(async () => {
  said = [];
});

async function list(
  command: readonly (string | Buffer)[] | string,
  fields: Record<string, string | Buffer> = {},
): Promise<string> {
  const shown = typeof command === 'string' ? command : encodeCommand(command);
  const all = {
    sequence: '7',
    database: '0',
    command: shown,
    key: command[1] ?? '',
    error: 'ERR no',
    ...fields,
  };
  return (await client.xadd(KEYS.rejected, '*', ...Object.entries(all).flat()))!;
}

async function retry(entries: readonly RejectedEntry[]): ReturnType<typeof retryRejected> {
  const { writes: extra } = await serverCommands(client);
  return retryRejected(client, { keys: KEYS, entries, extra });
}

test('all keys that a command writes are asked for, once, wherever they are, and not those of Tandem', async () => {
  const ids = [
    await list(['MSET', 'a', '1', 'b', '2'], { database: '3' }),
    await list(['MSET', 'a', '5', 'b', '2'], { database: '3' }),
    await list(['COPY', 'a', 'c', 'DB', '5']),
    await list(['EVAL', 'return 1', '2', KEYS.applied, 'd', 'e']),
    await list('SET', { key: 'too long' }),
    await list(['TANDEM.STATE', '4', 'f', '0', '1', 'west', '0', '-1', ''], { key: 'f' }),
  ];
  await client.hset(KEYS.state, 'clock', 2 ** 52);
  const { asked, merged, refused } = await retry(await readRejected(client, KEYS));
  expect({ asked, merged, refused }).toEqual({
    asked: ids.filter((_, at) => at !== 1),
    merged: [ids[1]],
    refused: [],
  });
  await until('all to be said', () => said.length === 5);
  const needs = said.map((bytes) => parseNeed(readMessage(bytes)!));
  expect(needs.map(({ keys }) => keys.map(({ database, key }) => `${database} ${key.toString()}`))).toEqual([
    ['3 a', '3 b'],
    // COPY … DB leaves the first alone; to ask for it does no harm.
    ['0 c', '5 c'],
    ['0 d'],
    ['0 too long'],
    ['4 f'],
  ]);
  for (const { timestamp } of needs) expect(timestamp).toBe(2 ** 52 + 1);
  expect(await client.exists(KEYS.out)).toBe(0);
  expect((await readRejected(client, KEYS)).map(({ tries }) => tries)).toEqual([1, 1, 1, 1, 1]);
});

test('what cannot be tried again is counted, said, and stays', async () => {
  await list('BATCH', { database: '' });
  await list(['FUNCTION', 'LOAD', '#!lua'], { key: '' });
  await list('MSET', { key: 'a' });
  await list(['FUTURE.SET', 'a', '1']);
  const entries = await readRejected(client, KEYS);
  const { asked, refused } = await retry(entries);
  expect(asked).toEqual([]);
  expect(refused.map(({ why }) => why)).toEqual([
    'its database is not known',
    'it names no key',
    'its keys are not known',
    'neither this server nor this version of Tandem knows the command',
  ]);
  expect((await readRejected(client, KEYS)).map(({ tries }) => tries)).toEqual([1, 1, 1, 1]);
  expect(said).toEqual([]);
});

test('an entry goes when all its keys have come, and nothing of that transaction failed', async () => {
  const [id] = [await list(['MSET', 'a', '1', 'b\0', '2'], { database: '3' }), await list(['SET', 'c', '1'])];
  await retry(await readRejected(client, KEYS));
  const errors = /total_error_replies:(\d+)/.exec(await client.info('stats'))![1]!;
  await client.hset(KEYS.applied, 'errors', errors);
  const mend = (...places: string[]): Promise<unknown> =>
    runScript(client, 'clear-rejected', [KEYS.applied, KEYS.rejected, KEYS.retries], places);
  expect(await mend('3:a')).toBe(0);
  expect(await mend('0:a', '3:b\0')).toBe(0);
  expect(await mend('3:a', '3:b\0', '0:x')).toBe(1);
  expect((await findRejected(client, KEYS, [id])).length).toBe(0);
  await client.call('GET').catch(() => {});
  expect(await mend('0:c')).toBe(0);
  expect((await readRejected(client, KEYS)).length).toBe(1);
});

test('dropped entries go with what is remembered of their tries, and nothing else', async () => {
  const [first, second] = [await list(['SET', 'a', '1']), await list(['SET', 'b', '1'])];
  await retry(await readRejected(client, KEYS));
  expect(await dropRejected(client, KEYS, [first, '5-5'])).toBe(1);
  expect(await readRejected(client, KEYS)).toMatchObject([{ id: second, tries: 1 }]);
  expect(await client.hlen(KEYS.retries)).toBe(2);
});

test('the newest entries are read, the oldest of them first, whatever bytes are in them', async () => {
  await list(['SET', 'a', '1']);
  const key = Buffer.from([0, 0xff, 0x0a]);
  const id = await list(['SET', key, '1'], { key, error: 'ERR', database: '2' });
  expect(await readRejected(client, KEYS, 1)).toEqual([
    {
      id,
      at: Number(id.split('-')[0]),
      sequence: 7,
      database: 2,
      command: encodeCommand(['SET', key, '1']),
      key,
      error: Buffer.from('ERR'),
      tries: 0,
    },
  ]);
});
