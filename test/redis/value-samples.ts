/** Values of all types, each built in several ways, and what changes them. */

import type { Random } from '../e2e/random.js';

export type Command = [string, ...(string | number | Buffer)[]];

/** Ways to make one value: commands behind settings. */
export interface Way {
  readonly settings?: Readonly<Record<string, string>>;
  readonly commands: readonly Command[];
}

export interface Sample {
  readonly ways: readonly Way[];
  /** Each of them by itself makes another value. */
  readonly changes: readonly Command[];
}

export const KEY = 'key';
/** Encodings of small values, and of large ones. Older servers have older names; what a server does not know is left. */
export const SMALL = {
  'hash-max-listpack-entries': '1000',
  'hash-max-ziplist-entries': '1000',
  'zset-max-listpack-entries': '1000',
  'zset-max-ziplist-entries': '1000',
  'set-max-listpack-entries': '1000',
  'set-max-intset-entries': '1000',
  'list-max-listpack-size': '-2',
  'list-max-ziplist-size': '-2',
  'stream-node-max-entries': '100',
  'hll-sparse-max-bytes': '3000',
};
export const LARGE = {
  ...Object.fromEntries(Object.keys(SMALL).map((name) => [name, '0'])),
  'list-max-listpack-size': '2',
  'list-max-ziplist-size': '2',
  'stream-node-max-entries': '2',
};

function shuffled<T>(next: Random, list: readonly T[]): T[] {
  return list
    .map((one) => [next.below(2 ** 30), one] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, one]) => one);
}

function bytes(next: Random, most = 12): Buffer {
  return Buffer.from(Array.from({ length: 1 + next.below(most) }, () => next.below(256)));
}

function distinct(next: Random, count: number): Buffer[] {
  const all = Array.from({ length: count }, () => bytes(next));
  return [...new Map(all.map((one) => [one.toString('latin1'), one])).values()];
}

const both = (commands: readonly Command[], others: readonly Command[] = commands): Way[] => [
  { settings: SMALL, commands },
  { settings: LARGE, commands: others },
];

export const SAMPLES: Readonly<Record<string, (next: Random) => Sample>> = {
  string: (next) => {
    const value = bytes(next, 100);
    const at = next.below(value.length);
    return {
      ways: [
        { commands: [['SET', KEY, value]] },
        {
          commands: [
            ['SET', KEY, value.subarray(0, at)],
            ['APPEND', KEY, value.subarray(at)],
          ],
        },
        { commands: [['SETRANGE', KEY, 0, value]] },
      ],
      changes: [
        ['APPEND', KEY, 'x'],
        ['SETRANGE', KEY, at, Buffer.from([value[at]! ^ 1])],
        ['SETBIT', KEY, value.length * 8 + 1, 0],
      ],
    };
  },
  number: (next) => {
    const value = next.below(1_000_000);
    return {
      ways: [
        { commands: [['SET', KEY, value]] },
        {
          commands: [
            ['SET', KEY, 0],
            ['INCRBY', KEY, value],
          ],
        },
        {
          commands: [
            ['SET', KEY, ''],
            ['APPEND', KEY, String(value)],
          ],
        },
      ],
      changes: [
        ['INCR', KEY],
        ['APPEND', KEY, '0'],
      ],
    };
  },
  'text like a HyperLogLog': (next) => {
    const value = Buffer.concat([
      Buffer.from(`HYLL${['\x00', '\x01', '\x02'][next.below(3)]}`),
      bytes(next, 60),
    ]);
    return { ways: [{ commands: [['SET', KEY, value]] }], changes: [['APPEND', KEY, 'x']] };
  },
  hyperloglog: (next) => {
    const values = distinct(next, 5 + next.below(200));
    const add = (some: readonly Buffer[]): Command => ['PFADD', KEY, ...some];
    return {
      ways: [
        ...both(
          [add(values)],
          shuffled(next, values).map((one) => add([one])),
        ),
        { commands: [add(values), ['PFCOUNT', KEY]] },
      ],
      changes: [['PFADD', KEY, ...Array.from({ length: 100 }, (_, i) => `more${i}`)]],
    };
  },
  list: (next) => {
    const values = Array.from({ length: 3 + next.below(30) }, () => bytes(next));
    return {
      ways: both(
        [['RPUSH', KEY, ...values]],
        values.toReversed().map((one): Command => ['LPUSH', KEY, one]),
      ),
      changes: [
        ['RPUSH', KEY, 'x'],
        ['RPUSH', KEY, ''],
        ['LPOP', KEY],
        ['LPUSH', KEY, 'x'],
        ['LSET', KEY, next.below(values.length), 'another one'],
        ['LINSERT', KEY, 'AFTER', values[0]!, 'x'],
      ],
    };
  },
  set: (next) => {
    const values = distinct(next, 3 + next.below(40));
    return {
      ways: both(
        [['SADD', KEY, ...values]],
        shuffled(next, values).map((one): Command => ['SADD', KEY, one]),
      ),
      changes: [
        ['SADD', KEY, 'a member that is new'],
        ['SREM', KEY, values[0]!],
      ],
    };
  },
  'set of numbers': (next) => {
    const values = [...new Set(Array.from({ length: 3 + next.below(40) }, () => next.below(1_000_000)))];
    return {
      ways: [
        ...both([['SADD', KEY, ...values]], [['SADD', KEY, ...shuffled(next, values)]]),
        {
          commands: [
            ['SADD', KEY, 'text', ...values],
            ['SREM', KEY, 'text'],
          ],
        },
      ],
      changes: [
        ['SADD', KEY, -1],
        ['SREM', KEY, values[0]!],
        ['SADD', KEY, 'text'],
      ],
    };
  },
  hash: (next) => {
    const fields = distinct(next, 3 + next.below(30)).map((field) => [field, bytes(next)] as const);
    return {
      ways: both(
        [['HSET', KEY, ...fields.flat()]],
        shuffled(next, fields).map((one): Command => ['HSET', KEY, ...one]),
      ),
      changes: [
        ['HSET', KEY, fields[0]![0], 'another value'],
        ['HSET', KEY, 'a field that is new', ''],
        ['HDEL', KEY, fields[0]![0]],
      ],
    };
  },
  zset: (next) => {
    const scores = ['-inf', '+inf', '0', '-0', '1e300', '0.1', '3', '-2.5', '12345678901234567'];
    const members = distinct(next, 3 + next.below(30));
    const pairs = members.map((member) => [scores[next.below(scores.length)]!, member] as const);
    return {
      ways: both(
        [['ZADD', KEY, ...pairs.flat()]],
        shuffled(next, pairs).map((one): Command => ['ZADD', KEY, ...one]),
      ),
      changes: [
        ['ZADD', KEY, '7.25', members[0]!],
        ['ZADD', KEY, 'NX', '1', 'a member that is new'],
        ['ZREM', KEY, members[0]!],
      ],
    };
  },
  stream: (next) => {
    const entries = Array.from({ length: 3 + next.below(10) }, (_, i): Command => [
      'XADD',
      KEY,
      `${i + 1}-${next.below(5)}`,
      bytes(next),
      bytes(next),
    ]);
    const groups: Command[] = [
      ['XGROUP', 'CREATE', KEY, 'one', '0'],
      ['XGROUP', 'CREATE', KEY, 'two', '2-0'],
      [
        'XCLAIM',
        KEY,
        'one',
        'reader',
        0,
        String(entries[0]![2]),
        'TIME',
        1_700_000_000_000,
        'RETRYCOUNT',
        1,
        'FORCE',
        'JUSTID',
      ],
    ];
    const id = String(entries[0]![2]);
    const claim = (group: string, consumer: string, ...more: (string | number)[]): Command => [
      'XCLAIM',
      KEY,
      group,
      consumer,
      0,
      id,
      'TIME',
      1_700_000_000_000,
      'RETRYCOUNT',
      1,
      ...more,
      'FORCE',
      'JUSTID',
    ];
    return {
      ways: both([...entries, ...groups], [...entries, groups[1]!, groups[0]!, groups[2]!]),
      changes: [
        ['XADD', KEY, '100-1', 'f', 'v'],
        ['XDEL', KEY, id],
        ['XGROUP', 'CREATE', KEY, 'three', '0'],
        ['XGROUP', 'DESTROY', KEY, 'two'],
        ['XGROUP', 'SETID', KEY, 'two', '1-0'],
        ['XACK', KEY, 'one', id],
        claim('one', 'another'),
        claim('two', 'reader'),
        ['XSETID', KEY, '200-1'],
      ],
    };
  },
  'vector set': (next) => {
    const elements = distinct(next, 3 + next.below(20)).map((name) => {
      const [x, y, z] = [1, 2, 3].map(() => next.below(2000) / 1000 - 1);
      return ['VADD', KEY, 'VALUES', 3, x!, y!, z!, name, 'SETATTR', `{"n":${next.below(9)}}`] as Command;
    });
    const [first] = elements as [Command];
    return {
      ways: [{ commands: elements }, { commands: shuffled(next, elements) }],
      changes: [
        ['VADD', KEY, 'VALUES', 3, 5, 0.1, -5, 'an element that is new'],
        ['VREM', KEY, first[7]!],
        ['VADD', KEY, 'VALUES', 3, 50, 0.1, -5, first[7]!],
        ['VSETATTR', KEY, first[7]!, '{"n":10}'],
        ['VSETATTR', KEY, first[7]!, ''],
      ],
    };
  },
};

/** Commands of the types that not every server has. */
export const NEEDS: Readonly<Record<string, string>> = { 'vector set': 'VADD' };
