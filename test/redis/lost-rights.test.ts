import { beforeEach, describe, expect, test } from 'vitest';
import { type ScriptName, runScript, scriptSource } from '../../src/lua/scripts.js';
import { useServer } from '../support/use-server.js';
import { EPOCH, KEYS, PAIR, TOKEN, batchOf, deliver, openFresh } from './internal-keys.js';

const { redis: client, server } = useServer();

beforeEach(() => openFresh(client));

/** A script that writes to more than one place: what stands there before, and how it is called. */
interface Case {
  readonly prepare: () => Promise<unknown>;
  readonly keys: readonly string[];
  readonly args: () => readonly (string | number | Buffer)[];
}

/** A place as MessagePack has it: an array of one text of three bytes. */
const packed = (place: string): Buffer => Buffer.from(`\u{91}\u{a3}${place}`, 'latin1');
/** Those that go by how many errors the server has answered with. */
const counting: readonly ScriptName[] = ['end-transaction', 'clear-rejected'];
const BATCH = batchOf(1, 1);
const changes = async (): Promise<void> => {
  await client.rpush(KEYS.changes, 'one', 'two', 'three');
  await client.hset(KEYS.state, { next: 4, last: 3, trimmed: 0, bytes: 11, noted: 2 });
};
const suspect = async (): Promise<void> => {
  await deliver(client, BATCH, { first: 1, last: 1 });
  await client.hset(KEYS.applied, { suspect: 1 });
};
const rejected = async (): Promise<void> => {
  for (const id of ['1-1', '1-2']) await client.xadd(KEYS.rejected, id, 'key', 'k');
  await client.hset(KEYS.retries, { '1-1': 2, '1-2': 1, '1-2=': packed('1:k') });
};

const CASES: Partial<Record<ScriptName, Case>> = {
  'deliver-batch': {
    prepare: () => deliver(client, BATCH, { first: 1, last: 1 }),
    keys: [KEYS.received, KEYS.inbox],
    args: () => [`${PAIR}/west`, EPOCH + 1, 5, 5, batchOf(5, 1, { epoch: EPOCH + 1 }), ''],
  },
  'trim-changes': {
    prepare: changes,
    keys: [KEYS.state, KEYS.changes, KEYS.fence],
    args: () => [TOKEN, EPOCH, 2, 6, 0, 2],
  },
  'begin-epoch': {
    prepare: changes,
    keys: [KEYS.state, KEYS.changes, KEYS.fence],
    args: () => [TOKEN, 4, 2, 9, 'replid', 100, 0, 1, 0, 7, 2, 1, 5],
  },
  'end-transaction': {
    prepare: async () => {
      await deliver(client, BATCH, { first: 1, last: 1 });
      await runScript(client, 'begin-transaction', [KEYS.applied], []);
    },
    keys: [KEYS.applied, KEYS.received, KEYS.inbox],
    args: () => [1, BATCH.length],
  },
  'reject-commands': {
    prepare: suspect,
    keys: [KEYS.applied, KEYS.received, KEYS.inbox, KEYS.fence, KEYS.rejected, KEYS.site],
    args: () => [TOKEN, 1, BATCH.length, 100, 1, 0, 'TANDEM.STATE', 'k', 'no', 2, 0, 'SET', 'k', 'no'],
  },
  'retry-rejected': {
    prepare: rejected,
    keys: [KEYS.rejected, KEYS.retries, KEYS.out, KEYS.state, KEYS.applied, KEYS.received],
    args: () => [60_000, '1-1', 1, 0, 'k', '1-2'],
  },
  'clear-rejected': {
    prepare: async () => {
      await rejected();
      await client.hset(KEYS.retries, '1-1=', packed('0:k'));
      await runScript(client, 'begin-transaction', [KEYS.applied], []);
    },
    keys: [KEYS.applied, KEYS.rejected, KEYS.retries],
    args: () => ['0:k'],
  },
  'rewind-inbox': {
    prepare: () => deliver(client, BATCH, { first: 1, last: 1 }),
    keys: [KEYS.received, KEYS.inbox, KEYS.fence],
    args: () => [TOKEN, EPOCH, 0, 'id'],
  },
  'keep-claims': {
    prepare: () => client.rpush(KEYS.claims, 'one', 'two'),
    keys: [KEYS.claims, KEYS.fence],
    args: () => [TOKEN, 1, 'three'],
  },
  'send-mark': {
    prepare: () => client.hset(KEYS.waits, 'session', 'before'),
    keys: [KEYS.waits, KEYS.out],
    args: () => ['session', 'after', 60_000, 0, 'mark'],
  },
  'adopt-copy': {
    prepare: async () => {
      await client.hset(KEYS.state, 'site', 'west');
      await client.hset(KEYS.copy, { id: 'id', placeEpoch: 1, place: 3, received: 2 });
    },
    keys: [
      KEYS.fence,
      KEYS.copy,
      KEYS.state,
      KEYS.applied,
      KEYS.received,
      KEYS.site,
      KEYS.changes,
      KEYS.inbox,
    ],
    args: () => [TOKEN, 'id', PAIR, 'east', 'west', 2, 9, '', '', 1, ''],
  },
};

/** What is called only to take something back, or only where a command failed. */
const UNUSED = ['send-mark hdel', 'end-transaction hset'];

/** Every command that a script calls. */
function commandsOf(name: ScriptName): string[] {
  const called = [...scriptSource(name).matchAll(/redis\.p?call\('([A-Z]+)'/g)];
  return [...new Set(called.map(([, command]) => command!.toLowerCase()))];
}

/** All that stands in the site's own keys. */
async function contents(): Promise<unknown> {
  const all: [string, unknown][] = [];
  for (const key of (await client.keys('*')).toSorted()) {
    const kind = await client.type(key);
    if (kind === 'hash') all.push([key, await client.hgetall(key)]);
    else if (kind === 'list') all.push([key, await client.lrangeBuffer(key, 0, -1)]);
    else if (kind === 'stream') all.push([key, await client.xrange(key, '-', '+')]);
    else all.push([key, await client.get(key)]);
  }
  return all;
}

describe.each(Object.entries(CASES) as [ScriptName, Case][])('%s', (name, { prepare, keys, args }) => {
  test.each(commandsOf(name))(
    'is whole or nothing for an account that has lost the right to %s',
    async (right) => {
      await client.call('ACL', 'SETUSER', 'limited', 'reset', 'on', 'nopass', '~*', '+@all', `-${right}`);
      const limited = server().client({ username: 'limited', password: 'any' });
      await limited.ping();
      await prepare();
      const before = await contents();
      const answer = await runScript(limited, name, keys, args()).catch(
        (error: { code: string }) => error.code,
      );
      limited.disconnect();
      if (answer === 'NO_PERMISSION') {
        expect(await contents()).toEqual(before);
        // With the right back it goes through.
        if (counting.includes(name)) await runScript(client, 'begin-transaction', [KEYS.applied], []);
        await runScript(client, name, keys, args());
      } else expect(UNUSED).toContain(`${name} ${right}`);
      expect(await contents()).not.toEqual(before);
    },
  );
});
