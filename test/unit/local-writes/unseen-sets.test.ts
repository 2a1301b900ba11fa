import { describe, expect, test, vi } from 'vitest';
import { BatchPlanner, type BatchPlan } from '../../../src/conflicts/plan-batch.js';
import type { Look } from '../../../src/conflicts/watched-keys.js';
import { UnseenSets } from '../../../src/local-writes/unseen-sets.js';
import { payloadCommands } from '../../../src/protocol/payload.js';
import type { Conflict } from '../../../src/conflicts/resolved.js';
import { NOTHING, OTHER } from '../../../src/conflicts/rules/rule-context.js';
import { Unseen } from '../../../src/local-writes/unseen.js';
import { loadIntoWindow } from '../../../src/local-writes/window-loader.js';
import { LocalEntries } from '../../../src/local-writes/local-entries.js';
import { Window } from '../../../src/local-writes/window.js';
import { decodeBatch, encodeBatch, type DeliveredBatch } from '../../../src/protocol/batch.js';
import { effectCode, type RecordedEffect } from '../../../src/redis-commands/effect-code.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { KeyHash } from '../../../src/protocol/key-hash.js';
import { keysNamed } from '../../../src/capture/internal-commands.js';
import { encodeNeed, LACK } from '../../../src/protocol/messages/messages.js';
import { scriptSource } from '../../../src/lua/scripts.js';
import { Random } from '../../support/model/random.js';
import { planning, TAKES_ALL } from '../../support/planning.js';
import { KEYS } from '../capture/stream-story.js';
import { resp } from '../redis-commands/chunks.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const HISTORIES = Number(process.env['TANDEM_TEST_HISTORIES'] ?? 400);
const STEPS = 60;
const LONG = { timeout: 60_000 + HISTORIES * 50 };
const NEVER = new AbortController().signal;
const SERVER = {
  writes: new Map(),
  names: new Set(['SELECT', 'SET', 'INCRBY', 'APPEND', 'DEL', 'MSET', 'FLUSHALL']),
};

/** What a batch of the peer's says of itself. */
interface Told {
  readonly epoch: number;
  readonly first: number;
  readonly timestamp: number;
  readonly seen: number;
}

/** A site with strings for data: own writes and batches of the peer's go in, one by one. */
class StringSite {
  readonly data = new Map<string, string>();
  /** The last own write in the change list; all of them by default. */
  appended = Infinity;
  /** Keys that the last batch would have set, had this site not a later value. */
  kept: string[] = [];
  readonly conflicts: Conflict[] = [];
  /** `SET`s that were ranked by the time of an own one. */
  ranked = 0;
  readonly #window = new Window({ recentMs: 0, maxEntries: 10_000, now: () => 0 });
  readonly #entries = new LocalEntries(() => 0);
  readonly #own: { readonly bytes: Buffer; readonly timestamp: number }[] = [];
  readonly #planner: BatchPlanner;

  /** @param ranks whether it may rank a `SET` by the time of an own one */
  constructor(ranks: boolean) {
    const own = this.#own;
    const appendedThrough = (): number => Math.min(own.length, this.appended);
    const timestampOf = (sequence: number): number | undefined => {
      if (!ranks) return undefined;
      this.ranked++;
      return own[sequence - 1]?.timestamp;
    };
    this.#planner = new BatchPlanner(
      planning(KEYS, SERVER, {
        window: this.#window,
        entries: this.#entries,
        captured: {
          get capturedThrough() {
            return own.length;
          },
        },
        appended: {
          get appendedThrough() {
            return appendedThrough();
          },
          waitFor: () => Promise.resolve(),
          fetch: (sequence) => Promise.resolve(own[sequence - 1]?.bytes),
          timestampOf,
        },
        translator: {
          ...TAKES_ALL,
          translate: ({ name }) => (name === 'FLUSHALL' ? encodeCommand(['FLUSHALL']) : undefined),
        },
        events: { conflict: (conflict) => this.conflicts.push(conflict), answered: () => {} },
      }),
    );
  }

  get written(): number {
    return this.#own.length;
  }

  /** @param twin a key that is given out to have the hash of the one written */
  write(line: string, timestamp: number, twin?: string): void {
    const batch = { epoch: 1, first: this.#own.length + 1, timestamp, seen: 0 };
    const bytes = encodeBatch(batchOf('east', batch, line));
    this.#own.push({ bytes, timestamp });
    loadIntoWindow({ window: this.#window, entries: this.#entries }, decodeBatch(bytes));
    if (twin !== undefined)
      loadIntoWindow(
        { window: this.#window, entries: this.#entries },
        batchOf('east', batch, `SET ${twin} of_the_other_key`),
      );
    this.#run(line.split(' '));
  }

  async apply(told: Told, ...lines: string[]): Promise<void> {
    const decision = await this.decide(told, lines);
    for (const { args } of payloadCommands(Buffer.concat(decision.payload)))
      this.#run(args.map((word) => word.toString()));
    decision.onApplied();
    this.#window.advance(told.seen);
    this.kept = keysNamed(decision.kept ?? Buffer.alloc(0)).map(({ key }) => key.toString());
  }

  /** @param tries how often a look at keys was in vain */
  async decide(told: Told, commands: readonly (string | Buffer)[], tries = 0): Promise<BatchPlan> {
    const at: Look['at'] = (keys) =>
      Promise.resolve(keys.map(({ key }) => (this.data.has(key.toString()) ? OTHER : NOTHING)));
    return (await this.#planner.decide(batchOf('west', told, ...commands), NEVER, { at, tries }))!;
  }

  #run([name, ...args]: readonly string[]): void {
    const [key = '', value = ''] = args;
    switch (name) {
      case 'SELECT':
        return;
      case 'SET':
        this.data.set(key, value);
        return;
      case 'INCRBY':
        this.data.set(key, String(Number(this.data.get(key) ?? 0) + Number(value)));
        return;
      case 'APPEND':
        this.data.set(key, (this.data.get(key) ?? '') + value);
        return;
      case 'DEL':
        this.data.delete(key);
        return;
      case 'MSET':
        for (let i = 0; i < args.length; i += 2) this.data.set(args[i]!, args[i + 1]!);
        return;
      case 'FLUSHALL':
        this.data.clear();
        return;
      default:
        this.#attempt(name === 'EVAL' ? args : []);
    }
  }

  /** What attempt-commands.lua would run. */
  #attempt([source, , , ...rest]: readonly string[]): void {
    if (source !== scriptSource('attempt-commands'))
      throw new Error('a command that this site does not know');
    for (let at = 0; at < rest.length;) {
      const count = Number(rest[at]);
      this.#run(rest.slice(at + 1, at + 1 + count));
      at += count + 1;
    }
  }
}

function batchOf(origin: string, told: Told, ...commands: (string | Buffer)[]): DeliveredBatch {
  const bytes = commands.map((command) => (typeof command === 'string' ? resp(command) : command));
  const payload = Buffer.concat([resp('SELECT 0'), ...bytes]);
  const counts = { changes: bytes.length, commands: bytes.length + 1, length: payload.length + 50 };
  const special = commands.filter((command) => typeof command !== 'string').length;
  return { pair: 'p', origin, ...told, ...counts, seenEpoch: 1, special, groups: [], payload };
}

function shown({ command, outcome, key }: Conflict): string {
  return `${command} ${key.toString()} ${outcome}`;
}

/** What is listed says more than that. */
function listed({ conflicts }: StringSite): Map<string, string> {
  const wanted = conflicts.filter(({ isListed }) => isListed);
  return new Map(wanted.map((one) => [shown(one), String(one.own?.join(' '))]));
}

function randomLine(random: Random, unique: number): string {
  const key = random.pick(['a', 'a', 'a', 'b', 'c']);
  const kind = random.below(20);
  if (kind < 14) return `SET ${key} ${unique}`;
  if (kind < 16) return `INCRBY ${key} ${1 + random.below(9)}`;
  if (kind < 17) return `APPEND ${key} ${random.below(9)}`;
  if (kind < 18) return `MSET a ${unique} b ${unique}`;
  return `DEL ${key}`;
}

test(`${HISTORIES} histories come out as if every own write had been looked up`, LONG, async () => {
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

test('a flush of the peer takes an own SET with it that is captured and not in the change list yet', async () => {
  const site = new StringSite(true);
  await site.apply({ epoch: 1, first: 1, timestamp: 1, seen: 0 }, 'SET other 1');
  site.appended = 0;
  site.write('SET k own', 9);
  await site.apply({ epoch: 1, first: 2, timestamp: 5, seen: 0 }, 'FLUSHALL');
  site.appended = Infinity;
  await site.apply({ epoch: 1, first: 3, timestamp: 6, seen: 0 }, 'SET k theirs');
  expect(site.data.get('k')).toBe('own');
});

test('each meeting is counted; the list has one of a key and batch, and 500 a second with the own command', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const site = new StringSite(true);
    await site.apply({ epoch: 1, first: 1, timestamp: 1, seen: 0 }, 'SET other 1');
    const keys = Array.from({ length: 510 }, (_, index) => `k${index}`);
    for (const key of keys) site.write(`SET ${key} own`, 9);
    const lines = [...keys, keys[0]!].map((key) => `SET ${key} theirs`);
    const plan = await site.decide({ epoch: 1, first: 2, timestamp: 5, seen: 0 }, lines);
    expect(site.conflicts).toEqual([]);
    plan.onApplied();
    expect(site.conflicts).toHaveLength(511);
    const entries = plan.epilogue
      .filter(({ purpose }) => purpose === 'conflict')
      .map(({ bytes }) => String(bytes));
    const naming = (field: string): number =>
      entries.filter((entry) => entry.includes(`\r\n${field}\r\n`)).length;
    expect([entries.length, naming('ownTime'), naming('own')]).toEqual([510, 510, 500]);
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

test('of a key too hot to be watched it may be unknown that it was written: a SET of it is left out', async () => {
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

describe('an own SET that alone meets one of the peer', () => {
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
    expect(ownSets('sum', 'remove', 'set').find(KEY, RANGE)).toEqual({ sequence: 3, timestamp: 30 });
    expect(ownSets('set', 'set').find(KEY, { seen: 0, decided: 1 })).toEqual({ sequence: 1, timestamp: 10 });
    expect(ownSets('set').find(KEY, { seen: 1, decided: 1 })).toBeUndefined();
  });

  test.each(['state', 'need', 'push-left', 'push-right', 'pop-left', 'pops-right', 'list-edit'] as const)(
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
