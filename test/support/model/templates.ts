import type { Argv } from './redis/store.js';
import type { Random } from './random.js';

/** What a command is made with: seeded chance, a key, a text no other write of the history has. */
export interface Ingredients {
  readonly random: Random;
  readonly key: string;
  readonly unique: string;
  /** Rises with every write: a stream ID no other write has. */
  readonly serial: number;
  /** Elements, members, fields or IDs the key has at this site. */
  readonly present: readonly string[];
}

type Template = (from: Ingredients) => Argv;

const EXPIRIES = ['9000', '9001', '9002'];
const small = (random: Random): string => String(1 + random.below(9));
const cell = (random: Random): string => random.pick(['a', 'b', 'c']);

/** One template per command, as it stands in a replication stream. */
export const TEMPLATES = {
  set: ({ key, unique }) => ['SET', key, unique],
  setNumber: ({ key, random }) => ['SET', key, String(random.below(9) * 100)],
  setUntil: ({ key, unique, random }) => ['SET', key, unique, 'PXAT', random.pick(EXPIRIES)],
  setKeep: ({ key, random }) => ['SET', key, `${random.below(9)}.5`, 'KEEPTTL'],
  del: ({ key }) => ['DEL', key],
  incr: ({ key, random }) =>
    random.chance(0.5) ? ['INCRBY', key, small(random)] : ['DECRBY', key, small(random)],
  append: ({ key, random }) => ['APPEND', key, small(random)],
  setRange: ({ key, random }) => ['SETRANGE', key, String(random.below(4)), small(random)],
  setBit: ({ key, random }) => ['SETBIT', key, String(random.below(12)), random.pick(['0', '1'])],
  expire: ({ key, random }) => ['PEXPIREAT', key, random.pick(EXPIRIES)],
  persist: ({ key }) => ['PERSIST', key],
  hset: ({ key, random, unique }) =>
    random.chance(0.3)
      ? ['HSET', key, 'a', unique, 'b', small(random)]
      : ['HSET', key, cell(random), small(random)],
  hdel: ({ key, random }) => ['HDEL', key, cell(random)],
  hincr: ({ key, random }) => ['HINCRBY', key, cell(random), small(random)],
  sadd: ({ key, random }) => (random.chance(0.3) ? ['SADD', key, 'a', 'b'] : ['SADD', key, cell(random)]),
  srem: ({ key, random }) => ['SREM', key, cell(random)],
  saddNew: ({ key, unique }) => ['SADD', key, unique],
  sremOld: ({ key, random, present }) => ['SREM', key, present.length > 0 ? random.pick(present) : 'none'],
  zaddNew: ({ key, random, unique }) => ['ZADD', key, small(random), unique],
  zremOld: ({ key, random, present }) => ['ZREM', key, present.length > 0 ? random.pick(present) : 'none'],
  zadd: ({ key, random }) => ['ZADD', key, small(random), cell(random)],
  zaddIf: ({ key, random }) => [
    'ZADD',
    key,
    random.pick(['GT', 'LT', 'NX', 'XX']),
    small(random),
    cell(random),
  ],
  zrem: ({ key, random }) => ['ZREM', key, cell(random)],
  zincr: ({ key, random }) => ['ZINCRBY', key, small(random), cell(random)],
  zincrEndless: ({ key, random }) => ['ZINCRBY', key, random.pick(['Infinity', '-Infinity']), cell(random)],
  zpop: ({ key, random }) => [random.pick(['ZPOPMIN', 'ZPOPMAX']), key],
  rpush: ({ key, unique, random }) =>
    random.chance(0.3) ? ['RPUSH', key, unique, `${unique}'`] : ['RPUSH', key, unique],
  lpush: ({ key, unique, random }) =>
    random.chance(0.3) ? ['LPUSH', key, unique, `${unique}'`] : ['LPUSH', key, unique],
  lpop: ({ key, random }) => (random.chance(0.3) ? ['LPOP', key, '2'] : ['LPOP', key]),
  lpopOne: ({ key }) => ['LPOP', key],
  rpopOne: ({ key }) => ['RPOP', key],
  rpop: ({ key, random }) => (random.chance(0.3) ? ['RPOP', key, '2'] : ['RPOP', key]),
  rotate: ({ key }) => ['RPOPLPUSH', key, key],
  move: ({ key, random }) => {
    const other = key === 'k' ? 'l' : 'k';
    return random.chance(0.5)
      ? ['RPOPLPUSH', key, other]
      : ['LMOVE', key, other, random.pick(['LEFT', 'RIGHT']), random.pick(['LEFT', 'RIGHT'])];
  },
  lset: ({ key, unique, random }) => ['LSET', key, random.pick(['0', '1', '-1', '-2']), unique],
  ltrim: ({ key, random }) => [
    'LTRIM',
    key,
    random.pick(['0', '1', '-3']),
    random.pick(['2', '3', '-1', '-2']),
  ],
  lrem: ({ key, random }) => ['LREM', key, random.pick(['0', '1', '-1']), random.pick(['x', 'y'])],
  rpushSame: ({ key, random }) => ['RPUSH', key, random.pick(['x', 'y'])],
  linsert: ({ key, unique, random }) => [
    'LINSERT',
    key,
    random.pick(['BEFORE', 'AFTER']),
    random.pick(['x', 'y']),
    unique,
  ],
  xadd: ({ key, unique, serial, random }) => [
    'XADD',
    key,
    String(random.chance(0.1) ? 500 + random.below(3) : serial),
    'f',
    unique,
  ],
  xdel: ({ key, serial, random }) => ['XDEL', key, String(Math.max(1, serial - random.below(6)))],
  xtrim: ({ key, random }) => ['XTRIM', key, 'MAXLEN', String(1 + random.below(4))],
  xtrimId: ({ key, serial, random }) => [
    'XTRIM',
    key,
    'MINID',
    String(Math.max(1, serial - random.below(6))),
  ],
  xgroup: ({ key, random }) => [
    'XGROUP',
    random.pick(['CREATE', 'CREATE', 'DESTROY']),
    key,
    random.pick(['g', 'h']),
    '0',
  ],
  xclaim: ({ key, serial, random }) => [
    'XCLAIM',
    key,
    random.pick(['g', 'h']),
    random.pick(['ann', 'bob']),
    String(Math.max(1, serial - random.below(6))),
  ],
  xack: ({ key, serial, random }) => [
    'XACK',
    key,
    random.pick(['g', 'h']),
    String(Math.max(1, serial - random.below(6))),
  ],
  xclaimFew: ({ key, random }) => [
    'XCLAIM',
    key,
    'g',
    random.pick(['ann', 'bob']),
    random.pick(['500', '501', '502']),
  ],
  xackFew: ({ key, random }) => ['XACK', key, 'g', random.pick(['500', '501', '502'])],
  xaddFew: ({ key, random, unique }) => ['XADD', key, String(500 + random.below(3)), 'f', unique],
  xgroupFew: ({ key, random }) => [
    'XGROUP',
    random.pick(['CREATE', 'CREATE', 'CREATE', 'DESTROY']),
    key,
    'g',
    '0',
  ],
  pfadd: ({ key, unique }) => ['PFADD', key, unique],
  rename: ({ key, random }) => ['RENAME', key, random.pick(['k', 'l', 'm'])],
  copy: ({ key, random }) => ['COPY', key, random.pick(['k', 'l', 'm']), 'REPLACE'],
  union: ({ key, random }) => ['SUNIONSTORE', key, random.pick(['k', 'l']), random.pick(['l', 'm'])],
} satisfies Record<string, Template>;

export type TemplateName = keyof typeof TEMPLATES;
