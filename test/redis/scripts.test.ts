import { beforeEach, describe, expect, test } from 'vitest';
import { runScript } from '../../src/lua/scripts.js';
import { useServer } from '../support/use-server.js';
import { EPOCH, INBOX_LIMIT, KEYS, PAIR, TOKEN, batchOf, deliver, openFresh } from './internal-keys.js';

const { redis: client, server } = useServer();

beforeEach(() => openFresh(client));

describe('deliver', () => {
  const one = batchOf(1, 3);

  test('accepts what follows on what was received, and keeps it in order', async () => {
    expect(await deliver(client, one, { first: 1, last: 3 })).toEqual(['accepted', EPOCH, 3, one.length]);
    const two = batchOf(4, 1);
    expect(await deliver(client, two, { first: 4, last: 4 })).toEqual([
      'accepted',
      EPOCH,
      4,
      one.length + two.length,
    ]);
    expect(await client.lrangeBuffer(KEYS.inbox, 0, -1)).toEqual([one, two]);
  });

  test('knows a batch that was delivered before, and does not take it again', async () => {
    await deliver(client, one, { first: 1, last: 3 });
    expect(await deliver(client, one, { first: 1, last: 3 })).toEqual(['duplicate', EPOCH, 3, one.length]);
    expect(await client.llen(KEYS.inbox)).toBe(1);
  });

  test('takes nothing while something is missing before it, and says what it has', async () => {
    await deliver(client, one, { first: 1, last: 3 });
    expect(await deliver(client, one, { first: 5, last: 7 })).toEqual(['gap', EPOCH, 3, one.length]);
    // Not even part of it: what it has already and what it has not would stand in one batch.
    expect((await deliver(client, one, { first: 3, last: 5 }))[0]).toBe('gap');
    expect(await client.llen(KEYS.inbox)).toBe(1);
  });

  test('takes nothing of an epoch that is over', async () => {
    await deliver(client, one, { first: 1, last: 3, epoch: 5 });
    expect(await deliver(client, one, { first: 4, last: 6, epoch: 4 })).toEqual(['epoch', 5, 3, one.length]);
    expect(await client.llen(KEYS.inbox)).toBe(1);
  });

  test('lets a new epoch begin anywhere, but only with its oldest batch', async () => {
    await deliver(client, one, { first: 1, last: 3 });
    expect((await deliver(client, one, { first: 94, last: 96, epoch: 2 }))[0]).toBe('gap');
    expect((await deliver(client, one, { first: 91, last: 93, epoch: 2, isOldest: true }))[0]).toBe(
      'accepted',
    );
    expect((await deliver(client, one, { first: 94, last: 96, epoch: 2 }))[0]).toBe('accepted');
    expect(await client.hmget(KEYS.received, 'epoch', 'n')).toEqual(['2', '96']);
  });

  test('refused the first batch of a new epoch, so it refuses those behind it, though they would fit', async () => {
    const large = batchOf(1, 1, { of: [['SET', 'large', Buffer.alloc(INBOX_LIMIT - 300)]] });
    await deliver(client, large, { first: 1, last: 1 });
    expect((await deliver(client, large, { first: 2, last: 2, epoch: 2, isOldest: true }))[0]).toBe('full');
    expect((await deliver(client, one, { first: 3, last: 5, epoch: 2 }))[0]).toBe('gap');
  });

  test('is full at its limit, but lets a larger batch pass when nothing else waits', async () => {
    const large = batchOf(1, 1, { of: [['SET', 'large', Buffer.alloc(2 * INBOX_LIMIT)]] });
    expect((await deliver(client, large, { first: 1, last: 1 }))[0]).toBe('accepted');
    expect((await deliver(client, one, { first: 2, last: 4 }))[0]).toBe('full');
    expect(await client.hget(KEYS.received, 'n')).toBe('1');
    expect(await client.llen(KEYS.inbox)).toBe(1);
  });

  test('takes nothing of a stranger, nor where nobody works', async () => {
    expect((await deliver(client, one, { first: 1, last: 3, origin: `${PAIR}/north` }))[0]).toBe('stranger');
    expect((await deliver(client, one, { first: 1, last: 3, origin: 'other/west' }))[0]).toBe('stranger');
    await client.del(KEYS.received);
    expect(await deliver(client, one, { first: 1, last: 3 })).toEqual(['unready', 0, 0, 0]);
    expect(await client.exists(KEYS.inbox)).toBe(0);
  });
});

describe('guard', () => {
  /** Watches, runs the guard, and tries a transaction: what became of the guard and of the transaction. */
  async function run(
    expected: { token?: number; epoch?: number; n?: number } = {},
  ): Promise<[guard: string, executed: boolean]> {
    const { token = TOKEN, epoch = 0, n = 0 } = expected;
    await client.watch(KEYS.fence, KEYS.applied, KEYS.guard);
    const guard = await runScript(
      client,
      'guard-transaction',
      [KEYS.fence, KEYS.applied, KEYS.guard],
      [token, epoch, n],
    ).then(
      () => 'OK',
      (error: { code: string }) => error.code,
    );
    const executed = await client.multi().set('changed', 'x').exec();
    expect(await client.exists('changed')).toBe(executed === null ? 0 : 1);
    return [guard, executed !== null];
  }

  test('lets a transaction pass where everything is as expected', async () => {
    expect(await run()).toEqual(['OK', true]);
  });

  test.each([
    ['another process has taken over', () => client.incr(KEYS.fence), 'FENCED'],
    ['the fence is gone', () => client.del(KEYS.fence), 'STATE_LOST'],
    ['more was applied than expected', () => client.hset(KEYS.applied, 'n', 4), 'STATE_LOST'],
    ['the position is gone', () => client.del(KEYS.applied), 'STATE_LOST'],
    ['it is of another epoch', () => client.hset(KEYS.applied, 'epoch', 9), 'STATE_LOST'],
    [
      'failures of an earlier run are not dealt with',
      () => client.hset(KEYS.applied, 'suspect', 4),
      'STATE_LOST',
    ],
  ])('makes the transaction behind it fail when %s', async (_, change, code) => {
    await change();
    expect(await run()).toEqual([code, false]);
  });

  test.each([
    ['the fence', () => client.incr(KEYS.fence)],
    ['the position', () => client.hset(KEYS.applied, 'n', 4)],
  ])('guards against what happens to %s between it and the transaction', async (_, change) => {
    const other = client.duplicate();
    await other.watch(KEYS.fence, KEYS.applied, KEYS.guard);
    await runScript(other, 'guard-transaction', [KEYS.fence, KEYS.applied, KEYS.guard], [TOKEN, 0, 0]);
    await change();
    expect(await other.multi().set('changed', 'x').exec()).toBeNull();
    other.disconnect();
  });
});

describe('append and trim', () => {
  const append = (next: number, upTo: number, ...batches: Buffer[]): Promise<unknown> =>
    runScript(
      client,
      'append-batches',
      [KEYS.state, KEYS.changes, KEYS.fence],
      [TOKEN, EPOCH, next, upTo, 'replid', 100 + upTo, 3, 2, 7, 9, 1e9, upTo - 1, 0, ...batches],
    );
  const trim = (token: number, batches: number, bytes: number, epoch = EPOCH): Promise<unknown> =>
    runScript(
      client,
      'trim-changes',
      [KEYS.state, KEYS.changes, KEYS.fence],
      [token, epoch, batches, bytes, 0, 2],
    );

  test('move the position and the batches in one step, and count the bytes', async () => {
    const [one, two] = [batchOf(1, 2), batchOf(3, 1)];
    expect(await append(1, 4, one, two)).toEqual([one.length + two.length, 2, 0]);
    expect(await client.hgetall(KEYS.state)).toMatchObject({
      next: '4',
      offset: '104',
      database: '3',
      seen: '7',
      clock: '9',
      noted: '3',
    });
    expect(await trim(TOKEN, 1, one.length)).toBe(1);
    expect(await client.lrangeBuffer(KEYS.changes, 0, -1)).toEqual([two]);
    expect(await client.hget(KEYS.state, 'bytes')).toBe(String(two.length));
  });

  test.each(['rpush', 'hset', 'ltrim', 'hdel'])(
    'append is whole or nothing for an account that has lost the right to %s',
    async (right) => {
      await append(1, 2, batchOf(1, 1));
      const before = [await client.hgetall(KEYS.state), await client.lrangeBuffer(KEYS.changes, 0, -1)];
      await client.call('ACL', 'SETUSER', 'limited', 'reset', 'on', 'nopass', '~*', '+@all', `-${right}`);
      const limited = server().client({ username: 'limited', password: 'any' });
      const refused = runScript(
        limited,
        'append-batches',
        [KEYS.state, KEYS.changes, KEYS.fence],
        [TOKEN, EPOCH, 2, 4, 'replid', 104, 3, 2, 7, 9, 1e9, '', 0, batchOf(2, 1), batchOf(3, 1)],
      );
      await expect(refused).rejects.toMatchObject({ code: 'NO_PERMISSION' });
      expect([await client.hgetall(KEYS.state), await client.lrangeBuffer(KEYS.changes, 0, -1)]).toEqual(
        before,
      );
      limited.disconnect();
    },
  );

  test('refuse when the keys are not as this process left them, and change nothing', async () => {
    await append(1, 2, batchOf(1, 1));
    const state = await client.hgetall(KEYS.state);
    await expect(append(1, 2, batchOf(1, 1))).rejects.toMatchObject({ code: 'STATE_LOST' });
    await expect(trim(TOKEN, 1, 10, 9)).rejects.toMatchObject({ code: 'STATE_LOST' });
    await expect(trim(TOKEN - 1, 1, 10)).rejects.toMatchObject({ code: 'FENCED' });
    await client.incr(KEYS.fence);
    await expect(append(2, 3, batchOf(2, 1))).rejects.toMatchObject({ code: 'FENCED' });
    await client.del(KEYS.fence);
    await expect(append(2, 3, batchOf(2, 1))).rejects.toMatchObject({ code: 'STATE_LOST' });
    expect(await client.hgetall(KEYS.state)).toEqual(state);
    expect(await client.llen(KEYS.changes)).toBe(1);
  });
});

describe('beat', () => {
  const beat = (epoch: number, origin = `${PAIR}/west`): Promise<unknown> =>
    runScript(client, 'deliver-heartbeat', [KEYS.received], [origin, epoch, 5, 1, 8, 99]);

  test('notes what the peer has applied, but not what an older epoch or a stranger says', async () => {
    await deliver(client, batchOf(1, 1), { first: 1, last: 1, epoch: 3 });
    expect(await beat(3)).toEqual(['accepted', 3, 1]);
    expect(await client.hmget(KEYS.received, 'beat', 'beatSeen')).toEqual(['5', '8']);
    await client.hdel(KEYS.received, 'beat', 'beatSeen');
    expect(await beat(2)).toEqual(['epoch', 3, 1]);
    expect(await beat(3, `${PAIR}/north`)).toEqual(['stranger', 3, 1]);
    expect(await client.hexists(KEYS.received, 'beat')).toBe(0);
    await client.del(KEYS.received);
    expect(await beat(3)).toEqual(['unready', 0, 0]);
  });
});
