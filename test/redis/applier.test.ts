import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { scriptSource } from '../../src/lua/scripts.js';
import { type Applying, batchOf, deliver, KEYS, prepare, startApplying } from '../support/applying.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';

const { redis: client, server } = useServer({ args: ['--rename-command', 'SETRANGE', 'hidden'] });
let applying: Applying | undefined;

beforeEach(() => prepare(client));
afterEach(async () => {
  await applying?.stop();
  applying = undefined;
});

async function applied(sequence: number): Promise<void> {
  await until(`change ${sequence} to be applied`, () => applying!.applier.appliedSequence === sequence);
}

async function rejected(): Promise<string[]> {
  const entries = await client.xrange(KEYS.rejected, '-', '+');
  return entries.map(([, fields]) => `${fields[1]} ${fields[9]}`);
}

/** The number of transactions with an effect is the number of batches: each is popped with its marker. */
async function expectSettled(sequence: number): Promise<void> {
  expect(await client.hget(KEYS.applied, 'n')).toBe(String(sequence));
  expect(await client.hexists(KEYS.applied, 'suspect')).toBe(0);
  expect(await client.llen(KEYS.inbox)).toBe(0);
  expect(await client.hget(KEYS.received, 'bytes')).toBe('0');
}

describe('a batch that is no changes of data is refused, nothing of it is applied, and the process lives:', () => {
  const set = ['SET', 'a', '1'];
  const raw = (text: string): { payload: Buffer; commands: number } => ({
    payload: Buffer.concat([encodeCommand(set), Buffer.from(text)]),
    commands: 2,
  });
  test.each<[string, Buffer]>([
    ['EXEC in it', batchOf(1, [set, ['EXEC'], ['SET', 'b', '1']])],
    ['DISCARD in it', batchOf(1, [set, ['discard']])],
    ['CONFIG SET', batchOf(1, [set, ['CONFIG', 'SET', 'maxclients', '5000']])],
    ['CLIENT REPLY OFF', batchOf(1, [set, ['CLIENT', 'REPLY', 'OFF']])],
    ['SHUTDOWN', batchOf(1, [set, ['SHUTDOWN', 'NOSAVE']])],
    ['MIGRATE', batchOf(1, [set, ['MIGRATE', 'h', '1', 'a', '0', '10']])],
    ["Tandem's own fence", batchOf(1, [set, ['DEL', KEYS.fence]])],
    ["Tandem's own position", batchOf(1, [set, ['HSET', KEYS.applied, 'n', '9']])],
    [
      "the state of one of Tandem's keys",
      batchOf(1, [set, ['TANDEM.STATE', '0', KEYS.fence, '0', '1', 'west', '0', '-1', '']], { special: 1 }),
    ],
    ['a STATE cut short', batchOf(1, [set, ['TANDEM.STATE', '0', 'k']], { special: 1 })],
    ['too high a count', batchOf(1, [set], { commands: 9 })],
    ['too low a count', batchOf(1, [set], { commands: 1 })],
    ['no changes', batchOf(1, [set], { changes: 0 })],
    ['a payload that ends inside a command', batchOf(1, [set], raw('*3\r\n$3\r\nSET\r\n'))],
    ['a payload that is no command', batchOf(1, [set], raw('SET b 1\r\n'))],
    ['64 million arguments announced', batchOf(1, [set], raw('*67108864\r\n$1\r\n'))],
    ['an argument of 4 GB announced', batchOf(1, [set], raw('*1\r\n$4294967295\r\nx'))],
    ['a length with zeros in front', batchOf(1, [set], raw('*1\r\n$004\r\nPING\r\n'))],
    ['transactions beyond its end', batchOf(1, [set], { groups: [1, 900] })],
    ['a SELECT of no database', batchOf(1, [set, ['SELECT', 'x']])],
    ['another format', Buffer.concat([Buffer.from([0x9d, 0x07]), batchOf(1, [set]).subarray(2)])],
  ])('%s', async (_, batch) => {
    await deliver(client, batch);
    applying = await startApplying(server(), client);
    await until('the link to stop', () => applying!.applier.state === 'stopped');
    expect(applying.applier.detail).toMatch(/batch/);
    expect(await client.exists('a', 'b', KEYS.rejected)).toBe(0);
    expect(await client.hget(KEYS.applied, 'n')).toBe('0');
    expect(await client.get(KEYS.fence)).toBe('7');
    expect(await client.llen(KEYS.inbox)).toBe(1);
    expect(await client.config('GET', 'maxclients')).not.toContain('5000');
  });

  test('what came before it is applied', async () => {
    await deliver(
      client,
      batchOf(1, [set]),
      batchOf(2, [['FLUSHALL'], ['EXEC']]),
      batchOf(4, [['SET', 'c', '1']]),
    );
    applying = await startApplying(server(), client);
    await until('the link to stop', () => applying!.applier.state === 'stopped');
    expect([applying.applier.appliedSequence, await client.exists('a', 'c')]).toEqual([1, 1]);
  });
});

describe('a command is left out, and listed once in the same transaction,', () => {
  test('when this server does not have it', async () => {
    const commands = [
      ['SET', 'a', '1'],
      ['SETRANGE', 'a', '0', 'x'],
      ['SET', 'b', '1'],
    ];
    await deliver(client, batchOf(1, commands), batchOf(4, commands));
    applying = await startApplying(server(), client);
    await applied(6);
    expect(await client.mget('a', 'b')).toEqual(['1', '1']);
    expect(applying.rejections.count).toBe(2);
    expect(await rejected()).toEqual([
      expect.stringMatching(/^1 ERR unknown command/),
      expect.stringMatching(/^4 ERR unknown command/),
    ]);
    await expectSettled(6);
  });

  test('when it has arguments this server does not take', async () => {
    await deliver(
      client,
      batchOf(1, [
        ['SET', 'a', '1'],
        ['INCR', 'a', '7'],
      ]),
    );
    applying = await startApplying(server(), client);
    await applied(2);
    expect([await client.get('a'), await rejected()]).toEqual([
      '1',
      [expect.stringMatching(/^1 ERR wrong number/)],
    ]);
    await expectSettled(2);
  });

  test('when nobody knows it', async () => {
    await deliver(
      client,
      batchOf(1, [
        ['SET', 'a', '1'],
        ['FUTURE.SET', 'a', '7'],
      ]),
    );
    applying = await startApplying(server(), client);
    await applied(2);
    expect([await client.get('a'), await rejected()]).toEqual([
      '1',
      [expect.stringMatching(/^1 TANDEM neither/)],
    ]);
  });

  test('when it is a script', async () => {
    await deliver(
      client,
      batchOf(1, [
        ['EVAL', `redis.call('DEL', '${KEYS.fence}')`, '0'],
        ['SET', 'a', '1'],
      ]),
    );
    applying = await startApplying(server(), client);
    await applied(2);
    expect([await client.get('a'), await rejected()]).toEqual([
      '1',
      [expect.stringMatching(/^1 TANDEM a script/)],
    ]);
  });

  test('when its database does not exist here: it runs in no other', async () => {
    await deliver(
      client,
      batchOf(
        1,
        [
          ['SELECT', '20'],
          ['SET', 'a', 'of 20'],
          ['SELECT', '3'],
          ['SET', 'a', 'of 3'],
        ],
        { changes: 2 },
      ),
    );
    applying = await startApplying(server(), client);
    await applied(2);
    expect(await client.get('a')).toBeNull();
    expect(await rejected()).toEqual([expect.stringMatching(/^1 TANDEM this server has no database 20/)]);
    await client.select(3);
    expect(await client.get('a')).toBe('of 3');
    await client.select(0);
    await expectSettled(2);
  });
});

test('a failure behind the commands is listed, and the peer is asked for the keys again', async () => {
  const asked = await server().client().monitor();
  const messages: string[] = [];
  asked.on('monitor', (_: string, words: string[]) => {
    if (words[0]?.toUpperCase() === 'SET' && words[1] === KEYS.out) messages.push(words[2] ?? '');
  });
  await client.set('k', '1');
  await deliver(client, batchOf(1, [['TANDEM.NEED', '5', '0', '0', 'k']], { special: 1 }));
  await client.call('ACL', 'SETUSER', 'default', '-dump');
  applying = await startApplying(server(), client);
  await applied(1);
  await client.call('ACL', 'SETUSER', 'default', '+dump');
  expect(await rejected()).toEqual([expect.stringMatching(/^1 /)]);
  await until('the peer to be asked', () => messages.some((message) => message.includes('TANDEM.NEED')));
  asked.disconnect();
  await expectSettled(1);
});

test('while what was applied has not come round in the stream nothing more is applied, and it says so', async () => {
  applying = await startApplying(server(), client);
  applying.isBehind = true;
  await deliver(client, batchOf(1, [['SET', 'k', '1']]));
  const { applier } = applying;
  await until(
    'it to say so',
    () => applier.state === 'backing-off' && /comes round/.test(applier.detail ?? ''),
  );
  expect(applier.appliedSequence).toBe(0);
  applying.isBehind = false;
  await applied(1);
  await expectSettled(1);
});

test("a flush leaves Tandem's own keys where they are, though the spare database has keys of their names", async () => {
  const spare = server().client({ db: 15 });
  await spare.set(KEYS.fence, 'of somebody else');
  await spare.set(KEYS.inbox, 'of somebody else');
  await client.set('a', '1');
  await deliver(client, batchOf(1, [['FLUSHDB']], { special: 1 }));
  applying = await startApplying(server(), client);
  await applied(1);
  expect([await client.exists('a'), await client.get(KEYS.fence)]).toEqual([0, '7']);
  await expectSettled(1);
});

test("a swap of databases leaves Tandem's own keys where they are, though the other has keys of their names", async () => {
  const other = server().client({ db: 3 });
  await other.set(KEYS.fence, 'of somebody else');
  await client.set('a', '1');
  await deliver(client, batchOf(1, [['SWAPDB', '0', '3']], { special: 1 }));
  applying = await startApplying(server(), client);
  await applied(1);
  expect([await client.exists('a'), await other.get('a'), await client.get(KEYS.fence)]).toEqual([
    0,
    '1',
    '7',
  ]);
  await expectSettled(1);
});

test('out of memory at any moment loses no batch, and repeats none', async () => {
  const count = 60;
  await deliver(client, ...Array.from({ length: count }, (_, i) => batchOf(i + 1, [['INCR', 'counter']])));
  applying = await startApplying(server(), client);
  for (let i = 0; i < 80; i++) {
    await client.config('SET', 'maxmemory', i % 2 === 0 ? '1' : '0');
    if (applying.applier.appliedSequence === count) break;
  }
  await client.config('SET', 'maxmemory', '0');
  await applied(count);
  expect(await client.get('counter')).toBe(String(count));
  expect(applying.gaps).toBe(0);
  await expectSettled(count);
});

test('a guard touches its key although memory forbids writes: what was sent behind it fails', async () => {
  const keys = [KEYS.fence, KEYS.applied, KEYS.guard];
  await client.watch(...keys);
  await client.config('SET', 'maxmemory', '1');
  const refusal = await client
    .call('EVAL', scriptSource('guard-transaction'), 3, ...keys, 7, 1, 5)
    .catch(String);
  await client.config('SET', 'maxmemory', '0');
  expect(refusal).toContain('POSITION');
  expect(await client.multi().set('a', '1').exec()).toBeNull();
});

test('a server that lets no script count its errors has nothing applied', async () => {
  await deliver(client, batchOf(1, [['SET', 'a', '1']]));
  await client.call('ACL', 'SETUSER', 'default', '-info');
  applying = await startApplying(server(), client);
  expect(await applying.ended).toMatchObject({ code: 'NO_PERMISSION' });
  await client.call('ACL', 'SETUSER', 'default', '+info');
  expect(await client.exists('a')).toBe(0);
});
