/** Single meetings, each of which once ended differently on the two sites or in another way than the model has it. */

import { ENDLESS, ENDLESS_FIELD } from '../../support/life.js';
import { describe, expect, test } from 'vitest';
import { payloadCommands } from '../../../src/protocol/payload.js';
import type { Piece } from '../../../src/pieces/piece.js';
import { together, type ConflictOutcome } from '../../../src/observe/conflict-outcome.js';
import {
  NOTHING,
  type Held,
  type FieldLife,
  type RuleContext,
  type Resolution,
} from '../../../src/conflicts/rules/rule-context.js';
import { LocalPieces } from '../../../src/conflicts/rules/local-pieces.js';
import { piecesOf } from '../../../src/pieces/pieces.js';
import { resolve } from '../../../src/conflicts/rules/resolve.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { LACK } from '../../../src/protocol/messages/state-request.js';
import { scriptSource, type ScriptName } from '../../../src/lua/scripts.js';

const KEY = 'k';
const LIST = (length: number): Held => ({ kind: 'list', length });
const HASH: Held = { kind: 'other', length: undefined };
const SCRIPTS: ScriptName[] = [
  'splice-list',
  'edit-list',
  'insert-entries',
  'trim-stream',
  'ask-doubted-expiry',
  'ask-below-trim',
  'insert-beside',
  'replace-string',
  'write-on-field',
  'claim-entry',
];

interface Made {
  readonly timestamp?: number;
  readonly sequence?: number;
  readonly seen?: number;
}

function pieces(line: string, site: string, made: Made = {}): Piece[] {
  const [command] = payloadCommands(
    encodeCommand(line.split(' ').map((word) => (word === '""' ? '' : word))),
  );
  const source = { timestamp: 10, sequence: 1, seen: 0, ...made, command: command!, site };
  return piecesOf(source, Buffer.from(KEY));
}

/** East's unseen commands, one after the other. */
function own(...lines: string[]): Piece[] {
  return lines.flatMap((line, at) => pieces(line, 'east', { timestamp: 10 + at, sequence: 11 + at }));
}

function context(mine: readonly Piece[], changed: Partial<RuleContext> = {}): RuleContext {
  return {
    key: Buffer.from(KEY),
    database: 0,
    applied: 'applied',
    life: ENDLESS,
    fieldLife: () => ENDLESS_FIELD,
    site: 'east',
    local: new LocalPieces(mine),
    pending: undefined,
    isAsking: false,
    isContended: false,
    isOnCell: () => false,
    hasRunOn: () => false,
    held: NOTHING,
    known: undefined,
    isDoubtful: () => false,
    isMisplaced: false,
    out: 'out',
    request: () => Buffer.from('request'),
    ...changed,
  };
}

/** What runs in place of west's command, as lines; a script by its name. */
function runs({ commands }: Resolution): string[] {
  return commands.map((words) => {
    if (words[0] !== 'EVAL') return words.map(String).join(' ');
    const script = SCRIPTS.find((name) => scriptSource(name) === words[1]);
    return `${script}: ${words.slice(4).map(String).join(' ')}`;
  });
}

function meet(
  mine: readonly Piece[],
  theirs: string,
  changed: Partial<RuleContext> & { made?: Made } = {},
): Resolution {
  const { made, ...rest } = changed;
  return resolve(context(mine, rest), pieces(theirs, 'west', { timestamp: 20, ...made })[0]!);
}

describe('cells', () => {
  test('a sum is not run again under a head of the same name, of another type', () => {
    const met = meet(own('HINCRBY k n 5'), 'SADD k n', { held: HASH });
    expect([runs(met), met.outcome]).toEqual([['SADD k n'], 'clash-awaited']);
  });

  test('a removal with sums on top becomes their sum, so that the key and its expiry stay', () => {
    expect(runs(meet(own('HINCRBY k n 5', 'HINCRBY k n 2'), 'HDEL k n', { held: HASH }))[0]).toBe(
      'HSET k n 7',
    );
  });

  test('SET KEEPTTL replaces another type, but for a clash with what that type was given', () => {
    expect(runs(meet(own('PEXPIREAT k 9'), 'SET k v KEEPTTL', { held: HASH }))).toEqual(['SET k v KEEPTTL']);
    expect(runs(meet(own('HSET k f 1'), 'SET k v KEEPTTL', { held: HASH }))).toEqual([
      'replace-string: SET k v KEEPTTL',
    ]);
  });

  test('an addition is told by its ID alone: the script moves one of two with the same, and no state is sent', () => {
    const met = meet(own('XADD k 5-0 f east', 'XGROUP CREATE k g 0'), 'XADD k 5-0 f west', { held: HASH });
    expect([runs(met), met.state]).toEqual([['insert-entries: 0 5-0 2 f west'], undefined]);
  });

  test('an entry acknowledged here is not pending again, and its delivery moves the group all the same', () => {
    const delivery = 'XCLAIM k g ann 0 5-0 FORCE';
    expect(runs(meet(own('XACK k g 5-0'), delivery, { held: HASH }))).toEqual([delivery, 'XACK k g 5-0']);
  });

  test.each(['XCLAIM', 'xclaim'])(
    'a delivery by %s of an entry that is gone here tells the other site',
    (name) => {
      const met = meet(own('XGROUP CREATECONSUMER k g bob'), `${name} k g ann 0 5-0 FORCE`, { held: HASH });
      expect(runs(met)[0]).toMatch(/^claim-entry: 0 k .* g ann 0 5-0 FORCE$/s);
    },
  );

  test('of two groups of one name the later begins anew', () => {
    const met = meet(own('XGROUP CREATE k g 5'), 'XGROUP CREATE k g 7', { held: HASH });
    expect(runs(met)).toEqual(['XGROUP DESTROY k g', 'XGROUP CREATE k g 7']);
  });
});

describe('states', () => {
  const state = (since: number, timestamp = 30): string =>
    `TANDEM.STATE 0 k 0 ${timestamp} west ${since} -1 dump`;

  test('a deletion that had seen every write in it stands against a state, another does not', () => {
    const deletion = pieces('DEL k', 'east', { timestamp: 40, sequence: 11, seen: 7 });
    expect(runs(meet(deletion, state(7)))).toEqual([]);
    expect(runs(meet(deletion, state(8)))).toEqual(['RESTORE k 0 dump REPLACE']);
  });

  test('a value written later than all in a state stands against it', () => {
    const value = pieces('SET k v', 'east', { timestamp: 40, sequence: 11 });
    expect([runs(meet(value, state(8))), runs(meet(value, state(8, 50)))]).toEqual([
      [],
      ['RESTORE k 0 dump REPLACE'],
    ]);
  });

  test('local writes after the last local head are run again on it, those before an own state too, but no trims', () => {
    const mine = [
      ...own('XADD k 5-0 f v', 'XTRIM k MAXLEN 1'),
      ...pieces('TANDEM.STATE 0 k 0 15 east 0 -1 mine', 'east', { sequence: 13 }),
      ...pieces('XADD k 6-0 f v', 'east', { sequence: 14 }),
    ];
    const met = meet(mine, state(1));
    expect([runs(met), met.state]).toEqual([
      ['RESTORE k 0 dump REPLACE', 'insert-entries: 1 5-0 2 f v', 'insert-entries: 1 6-0 2 f v'],
      30,
    ]);
  });

  test('of two on the way to each other the higher stays', () => {
    const mine = pieces('TANDEM.STATE 0 k 0 35 east 0 -1 mine', 'east', { sequence: 11 });
    expect([runs(meet(mine, state(0))), runs(meet(mine, state(0, 36)))]).toEqual([
      [],
      ['RESTORE k 0 dump REPLACE'],
    ]);
  });

  test('a head that does not beat the own state brings that back, and what was written on it', () => {
    const mine = [
      ...pieces('TANDEM.STATE 0 k 0 35 east 9 -1 mine', 'east', { sequence: 11 }),
      ...pieces('APPEND k x', 'east', { sequence: 12 }),
    ];
    expect(runs(meet(mine, 'DEL k'))).toEqual(['RESTORE k 0 mine REPLACE', 'APPEND k x']);
    const seen = meet(mine, 'DEL k', { made: { seen: 9 } });
    expect([runs(seen), seen.state]).toEqual([['DEL k', 'APPEND k x'], 35]);
  });
});

describe('lists', () => {
  test('what goes by content is run on what its sender had', () => {
    const met = meet(own('RPUSH k b'), 'LREM k 0 b', { held: LIST(3) });
    expect([runs(met)[0], met.outcome]).toEqual(['edit-list: LREM 0 b 2', 'clash-resolved']);
  });

  test('a push goes beyond what was pushed here at the other end, though nothing of what both had is there', () => {
    const { insert, asks } = meet(own('LPOP k', 'RPUSH k x', 'LPUSH k y'), 'LPUSH k z', { held: LIST(2) });
    expect([insert, asks]).toEqual([{ at: 1, values: [Buffer.from('z')] }, undefined]);
  });

  test('while the key is asked for, pushes go in as they are and nothing is taken by position', () => {
    const mine = own('RPUSH k x');
    const asking = { isAsking: true, held: LIST(2) };
    expect(runs(meet(mine, 'RPUSH k y', asking))).toEqual(['RPUSH k y']);
    expect(runs(meet(mine, 'LPOP k', asking))).not.toContain('LPOP k');
  });

  test('what takes by position is not run again on a new value, and the other site is asked', () => {
    const met = meet(own('RPUSH k x', 'LPOP k', 'SET k v', 'DEL k', 'RPUSH k y', 'LPOP k'), 'SET k w');
    expect([runs(met), met.asks]).toEqual([['SET k w', 'RPUSH k y'], true]);
  });
});

test('nothing clashes while the key is asked for, or its state goes out', () => {
  for (const settled of [{ isAsking: true }, { pending: { timestamp: 1, site: 'east' } }])
    expect(meet(own('APPEND k x'), 'APPEND k y', { held: HASH, ...settled })).toMatchObject({
      outcome: 'merged',
      commands: [['APPEND', 'k', 'y'].map((word) => Buffer.from(word))],
    });
});

describe('a key written too fast to be watched', () => {
  const contended = (mine: readonly Piece[], theirs: string, held: Held): Resolution =>
    meet(mine, theirs, {
      isContended: true,
      isAsking: true,
      held,
      isOnCell: (cell) => cell === 'f' || cell === 'm',
    });

  test.each([
    ['SET k w', own('INCRBY k 5'), HASH, LACK.peerWrites],
    ['DEL k', own('INCRBY k 5'), HASH, LACK.peerRemovals],
    ['PEXPIREAT k 99', own('INCRBY k 5'), HASH, LACK.peerRemovals],
    ['HDEL k g', own('HSET k f 1'), HASH, LACK.peerRemovals],
    ['HSET k f 2', own('HINCRBY k f 1'), HASH, LACK.peerWrites],
    ['ZADD k 2 m', own('ZADD k 1 m'), HASH, LACK.peerWrites],
    ['ZPOPMIN k', own('SADD k m'), HASH, LACK.peerRemovals],
    ['XTRIM k MAXLEN = 1', own('XADD k 1-1 f v'), HASH, LACK.peerRemovals],
    ['LPOP k', own('RPUSH k x'), LIST(3), LACK.peerRemovals],
  ])('%s waits for the state: it might take from what nobody knows of yet', (theirs, mine, held, lack) => {
    const met = contended(mine, theirs, held);
    expect([runs(met), met.leaves]).toEqual([[], lack]);
  });

  test.each([
    ['RPUSH k y', own('RPUSH k x'), LIST(3)],
    ['HSET k g 2', own('HINCRBY k f 1'), HASH],
    ['HINCRBY k f 2', own('HSET k f 1'), HASH],
    ['SADD k m', own('SREM k m'), HASH],
    ['APPEND k y', own('APPEND k x'), HASH],
  ])('%s adds to it, and is run', (theirs, mine, held) => {
    const met = contended(mine, theirs, { ...held, kind: 'unknown', length: undefined });
    expect([runs(met), met.leaves]).toEqual([[theirs], undefined]);
  });
});

describe('a deadline of a field of a key written too fast to be watched', () => {
  const contended = (theirs: string, changed: Partial<RuleContext> = {}): Resolution =>
    meet(own('HINCRBY k f 1'), theirs, { isContended: true, isAsking: true, held: HASH, ...changed });
  const hasRunOn = (field: string): boolean => field === 'g';

  test('is given to the field that the same batch has written, if that has none', () => {
    const met = contended('HPEXPIREAT k 99 FIELDS 1 g', { hasRunOn });
    expect(runs(met)).toEqual(['write-on-field: out 0 request 0 g HPEXPIREAT k 99 NX FIELDS 1 g']);
    expect(met.leaves).toBe(LACK.peerRemovals);
  });

  test('waits for the state where the batch has not written the field, or takes the deadline away', () => {
    expect(contended('HPEXPIREAT k 99 FIELDS 1 f', { hasRunOn }).commands).toEqual([]);
    expect(contended('HPERSIST k FIELDS 1 g', { hasRunOn }).commands).toEqual([]);
    const life = { ...ENDLESS, isDoubtful: true };
    expect(contended('HPEXPIREAT k 99 FIELDS 1 g', { hasRunOn, life }).commands).toEqual([]);
  });
});

describe('a write that keeps the deadline of a field', () => {
  const fieldLife = (): FieldLife => ({ ...ENDLESS_FIELD, deadline: 99 });
  const WEST = 'HSETEX k KEEPTTL FIELDS 1 f v';

  test('makes no field anew: where it is gone, the other site is asked', () => {
    const met = meet([], WEST, { held: HASH, fieldLife });
    expect(runs(met)).toEqual([
      `write-on-field: out 0 request ${Number.MAX_SAFE_INTEGER} f HSETEX k KEEPTTL FIELDS 1 f v`,
    ]);
  });

  test('is asked for where it meets one of this site, for each has kept the deadline of its own', () => {
    expect(meet(own('HSET k f 1'), WEST, { held: HASH, fieldLife }).asks).toBe(true);
    expect(meet(own(WEST), 'HSETEX k PXAT 999 FIELDS 1 f v', { held: HASH, fieldLife }).asks).toBe(true);
    expect(meet([], WEST, { held: HASH, fieldLife }).asks).toBe(undefined);
  });

  test('is a write on its field alone', () => {
    expect(pieces('HSETEX k KEEPTTL FIELDS 2 f 1 g 2', 'west').map(({ cell, role }) => [cell, role])).toEqual(
      [
        ['f', 'cell'],
        ['g', 'cell'],
      ],
    );
  });
});

describe('what comes to a key that was emptied here, and whose deadline nobody knows', () => {
  const life = { ...ENDLESS, deadline: 'unknown' as const };

  test.each([
    [
      'of a queue is not asked for: a state would bring back what is popped here before it comes',
      'LPOP k',
      'RPUSH k a',
    ],
    ['of a sorted set, known by what the pops took', 'ZREM k a', 'ZADD k 1 b'],
    ['of a sorted set, known as pops', 'ZPOPMIN k', 'ZADD k 1 b'],
  ])('%s', (_, taken, added) => {
    const { asks, leaves } = meet(own(taken), added, { life });
    expect([asks, leaves]).toEqual([undefined, undefined]);
  });

  test.each([
    ['of a hash is asked for', 'HDEL k f', 'HSET k g 1'],
    ['of a set is asked for', 'SREM k a', 'SADD k b'],
    ['behind a removal by a client is asked for, whatever it is', 'DEL k', 'ZADD k 1 b'],
  ])('%s', (_, taken, added) => {
    const { asks, leaves } = meet(own(taken), added, { life });
    expect([asks, leaves]).toEqual([true, LACK.peerWrites]);
  });
});

describe('hundreds of thousands of local writes on one key are met', () => {
  const many = (line: string): Piece[] => {
    const [piece] = own(line);
    return Array.from({ length: 300_000 }, () => piece!);
  };

  test('by what clashes with each of them', () => {
    expect(meet(many('APPEND k x'), 'APPEND k y', { held: HASH, made: { timestamp: 1 } }).state).toBe(10);
  });

  test('by a new head, on which all of them are run again', () => {
    expect(meet(many('HINCRBY k f 1'), 'HSET k f 5', { held: HASH }).commands).toHaveLength(300_001);
    expect(meet(many('INCRBY k 1'), 'SET k 5', { held: HASH }).commands).toHaveLength(300_001);
  });
});

test('a command of several cells is listed by the site whose value stayed in those that both wrote', () => {
  const cases: [ConflictOutcome[], ConflictOutcome][] = [
    [['theirs-stays', 'merged'], 'theirs-stays'],
    [['merged', 'own-stays', 'own-stays'], 'own-stays'],
    [['theirs-stays', 'own-stays'], 'merged'],
    [['merged', 'merged'], 'merged'],
    [['merged', 'own-stays', 'state-asked'], 'state-asked'],
    [[], 'merged'],
  ];
  for (const [outcomes, word] of cases) expect([outcomes, together(outcomes)]).toEqual([outcomes, word]);
});
