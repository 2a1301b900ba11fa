import { describe, expect, test, vi } from 'vitest';
import { UnseenSets } from '../../../src/local-writes/unseen-sets.js';
import type { Conflict } from '../../../src/conflicts/resolved.js';
import { Unseen } from '../../../src/local-writes/unseen.js';
import { Window } from '../../../src/local-writes/window.js';
import { effectCode, type RecordedEffect } from '../../../src/redis-commands/effect-code.js';
import { KeyHash } from '../../../src/protocol/key-hash.js';
import { encodeNeed, LACK } from '../../../src/protocol/messages/state-request.js';
import { Random } from '../../support/model/random.js';
import { batchOf, randomLine, StringSite, type Told } from '../../support/string-site.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const HISTORIES = Number(process.env['TANDEM_TEST_HISTORIES'] ?? 400);
const STEPS = 60;
const LONG = { timeout: 60_000 + HISTORIES * 50 };

function shown({ command, outcome, key }: Conflict): string {
  return `${command} ${key.toString()} ${outcome}`;
}

/** What is listed says more than that. */
function listed({ conflicts }: StringSite): Map<string, string> {
  const wanted = conflicts.filter(({ isListed }) => isListed);
  return new Map(wanted.map((one) => [shown(one), String(one.own?.join(' '))]));
}

test(`${HISTORIES} histories come out as if every local write had been looked up`, LONG, async () => {
  let ranked = 0;
  for (let history = 0; history < HISTORIES; history++) {
    const random = new Random(SEED + history);
    const [fast, slow] = [new StringSite(true), new StringSite(false)];
    const did: string[] = [];
    let [now, ownTime, theirTime, seen, first, epoch] = [20, 0, 0, 0, 1, 1];
    for (let step = 0; step < STEPS; step++) {
      now++;
      if (random.chance(0.5)) {
        ownTime = Math.max(ownTime, now - random.below(12));
        const line = randomLine(random, now);
        did.push(`own ${fast.written + 1} at ${ownTime}: ${line}`);
        for (const site of [fast, slow]) site.write(line, ownTime);
        if (random.chance(0.1)) {
          const key = random.pick(['a', 'b']);
          did.push(`own ${fast.written + 1} at ${ownTime}: ${key} is lost, and asked for`);
          for (const site of [fast, slow]) site.lose(key, ownTime, `lost ${now}`);
        }
        continue;
      }
      // A peer that has forgotten what it did begins again: its clock may be behind, and what it had seen as well.
      const isForgetful = random.chance(0.03);
      if (isForgetful) epoch++;
      theirTime = isForgetful ? now - random.below(20) : Math.max(theirTime, now - random.below(12));
      seen += random.chance(0.3) ? random.below(fast.written - seen + 1) : 0;
      const lines = Array.from({ length: 1 + random.below(3) }, () => randomLine(random, now));
      if (random.chance(0.03)) lines.push('FLUSHALL');
      const told = { epoch, first, timestamp: theirTime, seen };
      first += lines.length;
      did.push(`theirs at ${theirTime}, seen ${seen}: ${lines.join('; ')}`);
      for (const site of [fast, slow]) await site.apply(told, ...lines);
      const story = `seed ${SEED + history}\n${did.join('\n')}`;
      expect(Object.fromEntries(fast.data), story).toEqual(Object.fromEntries(slow.data));
      expect(fast.conflicts.map(shown), story).toEqual(slow.conflicts.map(shown));
      expect(listed(fast), story).toEqual(listed(slow));
      for (const site of [fast, slow]) site.conflicts.length = 0;
    }
    ranked += fast.ranked;
  }
  expect(ranked).toBeGreaterThan(HISTORIES);
});

test('what has the hash of an own key but is another one meets nothing', async () => {
  const site = new StringSite(true);
  await site.apply({ epoch: 1, first: 1, timestamp: 1, seen: 0 }, 'SET other 1');
  site.write('SET k own', 9, 'k2');
  await site.apply({ epoch: 1, first: 2, timestamp: 5, seen: 0 }, 'SET k2 theirs', 'SET k theirs');
  expect(Object.fromEntries(site.data)).toMatchObject({ k: 'own', k2: 'theirs' });
  expect([...listed(site)]).toEqual([['SET k own-stays', 'SET k own']]);
});

test('a flush of the peer takes a local SET with it that is captured and not in the change list yet', async () => {
  const site = new StringSite(true);
  await site.apply({ epoch: 1, first: 1, timestamp: 1, seen: 0 }, 'SET other 1');
  site.appended = 0;
  site.write('SET k own', 9);
  await site.apply({ epoch: 1, first: 2, timestamp: 5, seen: 0 }, 'FLUSHALL');
  site.appended = Infinity;
  await site.apply({ epoch: 1, first: 3, timestamp: 6, seen: 0 }, 'SET k theirs');
  expect(site.data.get('k')).toBe('own');
});

test('each meeting is counted; the list has one of a key and batch, 1,000 a second, and 100 of them with the local command', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const site = new StringSite(true);
    await site.apply({ epoch: 1, first: 1, timestamp: 1, seen: 0 }, 'SET other 1');
    const keys = Array.from({ length: 1010 }, (_, index) => `k${index}`);
    for (const key of keys) site.write(`SET ${key} own`, 9);
    const lines = [...keys, keys[0]!].map((key) => `SET ${key} theirs`);
    const plan = await site.decide({ epoch: 1, first: 2, timestamp: 5, seen: 0 }, lines);
    expect(site.conflicts).toEqual([]);
    plan.onApplied();
    expect(site.conflicts).toHaveLength(1011);
    const entries = plan.epilogue
      .filter(({ purpose }) => purpose === 'conflict')
      .map(({ bytes }) => String(bytes));
    const naming = (field: string): number =>
      entries.filter((entry) => entry.includes(`\r\n${field}\r\n`)).length;
    expect([entries.length, naming('ownTime'), naming('own')]).toEqual([1000, 1000, 100]);
  } finally {
    vi.useRealTimers();
  }
});

test('a meeting is counted once, when it is applied, however often its batch is decided', async () => {
  const site = new StringSite(true);
  await site.apply({ epoch: 1, first: 1, timestamp: 1, seen: 0 }, 'SET other 1');
  site.write('SET k own', 9);
  const told = { epoch: 1, first: 2, timestamp: 5, seen: 0 };
  for (let tries = 0; tries < 3; tries++) await site.decide(told, ['SET k theirs']);
  expect(site.conflicts).toEqual([]);
  await site.apply(told, 'SET k theirs');
  expect(site.conflicts).toHaveLength(1);
});

test('the keys whose own value stays are named: a process after this one must know of them', async () => {
  const site = new StringSite(true);
  await site.apply({ epoch: 1, first: 1, timestamp: 1, seen: 0 }, 'SET other 1');
  for (const [key, time] of [
    ['a', 9],
    ['b', 9],
    ['c', 3],
  ] as const)
    site.write(`SET ${key} own`, time);
  const told = { epoch: 1, first: 2, timestamp: 5, seen: 0 };
  await site.apply(told, 'SET a 1', 'SET b 1', 'SET c 1', 'SET a 2', 'SET d 1');
  expect(site.kept).toEqual(['a', 'b']);
  await site.apply({ ...told, first: 7, timestamp: 10 }, 'SET a 3');
  expect(site.kept).toEqual([]);
});

test('of a key written too fast to be watched it may be unknown that it was written: a SET of it is left out', async () => {
  const site = new StringSite(true);
  const need = encodeNeed({
    timestamp: 3,
    lack: LACK.nothing,
    keys: [{ database: 0, key: Buffer.from('k') }],
  });
  site.write('SET k own', 2);
  await site.decide({ epoch: 1, first: 1, timestamp: 3, seen: 0 }, ['INCRBY k 1'], 8);
  const { payload } = await site.decide(
    { epoch: 1, first: 2, timestamp: 4, seen: 1 },
    ['SET k theirs', need],
    1,
  );
  expect(Buffer.concat(payload).toString()).not.toContain('theirs');
});

describe('a local SET that alone meets one of the peer', () => {
  const KEY = { database: 0, key: Buffer.from('k') };
  const RANGE = { seen: 0, decided: 100 };

  /** A site that has written one key with these effects, one after the other. */
  function ownSets(...effects: RecordedEffect[]): UnseenSets {
    const window = new Window({ recentMs: 1000, maxEntries: 100, now: () => 0 });
    const hash = new KeyHash();
    hash.of(KEY.database, KEY.key, 0, KEY.key.length);
    for (const [index, effect] of effects.entries())
      window.record(hash.low, hash.high, index + 1, effectCode(effect));
    return new UnseenSets({
      unseen: new Unseen(window, { isSenderFirst: false }),
      timestampOf: (sequence) => sequence * 10,
    });
  }

  test('is told with its time', () => {
    const isAsking = false;
    expect(ownSets('sum', 'remove', 'set').find(KEY, RANGE)).toEqual({
      sequence: 3,
      timestamp: 30,
      isAsking,
    });
    expect(ownSets('set', 'set').find(KEY, { seen: 0, decided: 1 })).toEqual({
      sequence: 1,
      timestamp: 10,
      isAsking,
    });
    expect(ownSets('set').find(KEY, { seen: 1, decided: 1 })).toBeUndefined();
  });

  test('is told beside a request, or that alone, and whatever was built on it', () => {
    const isAsking = true;
    const [before, behind] = [ownSets('need', 'set'), ownSets('set', 'need')];
    expect(before.find(KEY, RANGE)).toEqual({ sequence: 2, timestamp: 20, isAsking });
    for (const sets of [before, behind]) sets.builtOn(KEY, { seen: 0, decided: 2 });
    expect(before.find(KEY, RANGE)).toEqual({ sequence: 2, timestamp: 20, isAsking });
    expect(behind.find(KEY, RANGE)).toEqual({ sequence: 1, timestamp: 10, isAsking });
    expect(behind.find(KEY, { seen: 1, decided: 2 })).toMatchObject({ sequence: 0, isAsking });
    expect(behind.find(KEY, { seen: 2, decided: 2 })).toBeUndefined();
    expect(ownSets('need', 'sum').find(KEY, RANGE)).toBeUndefined();
  });

  test.each([
    [['sum', 'remove', 'set'], 3],
    [['set', 'sum'], undefined],
    [['push-left', 'set'], undefined],
    [['set', 'need'], 1],
    [['state', 'set'], undefined],
  ] as const)('%j is told the same with many writes before it', (effects, sequence) => {
    const many = Array.from({ length: 40 }, () => 'set' as const);
    const last = sequence === undefined ? undefined : 40 + sequence;
    expect(ownSets(...many, ...effects).find(KEY, RANGE)?.sequence).toBe(last);
    expect(ownSets(...effects, ...many).find(KEY, RANGE)?.sequence).toBe(
      ['push-left', 'state'].includes(effects[0]) ? undefined : effects.length + 40,
    );
  });

  test.each(['state', 'push-left', 'push-right', 'pop-left', 'pops-right', 'list-edit'] as const)(
    'counts for nothing behind a %s',
    (effect) => {
      expect(ownSets(effect, 'set').find(KEY, RANGE)).toBeUndefined();
    },
  );

  test('counts for nothing before a sum', () => {
    expect(ownSets('set', 'sum').find(KEY, RANGE)).toBeUndefined();
  });

  test('counts for nothing once something of the peer was built on it', () => {
    const sets = ownSets('set', 'set');
    sets.builtOn(KEY, { seen: 0, decided: 1 });
    expect(sets.find(KEY, RANGE)).toMatchObject({ sequence: 2 });
    sets.builtOn(KEY, { seen: 0, decided: 2 });
    expect(sets.find(KEY, RANGE)).toBeUndefined();
  });

  test('counts for nothing when more is built on than is remembered', () => {
    const sets = ownSets('set');
    const other = (index: number) => ({ database: 0, key: Buffer.from(`other ${index}`) });
    for (let index = 0; index < 65_536; index++) sets.builtOn(other(index), { seen: 0, decided: 1 });
    expect(sets.find(KEY, RANGE)).toBeDefined();
    sets.builtOn(other(65_536), { seen: 0, decided: 1 });
    expect(sets.find(KEY, RANGE)).toBeUndefined();
  });

  test('counts for nothing when it is older than the process, or than what the peer has forgotten', () => {
    const batch = batchOf('west', { epoch: 1, first: 5, timestamp: 50, seen: 2 }, 'SET k v');
    const begun = (changed: Partial<Told>): UnseenSets => {
      const sets = ownSets('set', 'set', 'set');
      sets.begin(batch, 2);
      expect(sets.find(KEY, { seen: 0, decided: 2 })).toBeUndefined();
      expect(sets.find(KEY, RANGE)).toBeDefined();
      sets.begin({ ...batch, first: 6, ...changed }, 3);
      return sets;
    };
    expect(begun({}).find(KEY, RANGE)).toBeDefined();
    expect(begun({ epoch: 2 }).find(KEY, RANGE)).toBeUndefined();
    expect(begun({ timestamp: 49 }).find(KEY, RANGE)).toBeUndefined();
    expect(begun({ seen: 1 }).find(KEY, RANGE)).toBeUndefined();
    // Decided again because a key was written meanwhile.
    expect(begun({ first: 4, timestamp: 40 }).find(KEY, RANGE)).toBeDefined();
  });
});
