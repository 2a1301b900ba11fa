import type { TemplateName } from './templates.js';

/** What a history is made of. */
export interface Mix {
  readonly commands: readonly TemplateName[];
  readonly keys: readonly string[];
  /** What must hold beside equality. */
  readonly promise?: 'sum' | 'elements' | 'exact elements' | 'cells' | 'union';
}

const ONE = ['k'];
const STRINGS: TemplateName[] = ['setNumber', 'setKeep', 'incr', 'append', 'setRange', 'setBit', 'del'];
const LISTS: TemplateName[] = [
  'rpush',
  'lpush',
  'lpop',
  'rpop',
  'lset',
  'ltrim',
  'lrem',
  'linsert',
  'rpushSame',
  'del',
];
const STREAMS: TemplateName[] = [
  'xadd',
  'xadd',
  'xadd',
  'xdel',
  'xtrim',
  'xtrimId',
  'del',
  'xgroup',
  'xclaim',
  'xack',
];
const ZSETS: TemplateName[] = ['zadd', 'zaddIf', 'zrem', 'zincr', 'zpop', 'del'];
const HASHES: TemplateName[] = ['hset', 'hdel', 'hincr', 'del'];
const SETS: TemplateName[] = ['sadd', 'srem', 'del'];
const ALL: TemplateName[] = [
  ...STRINGS,
  'set',
  'setUntil',
  'expire',
  'persist',
  ...HASHES,
  ...SETS,
  ...ZSETS,
  ...LISTS,
  ...STREAMS,
  'pfadd',
];

/** The mixes of the random search, by name. */
export const MIXES: Readonly<Record<string, Mix>> = {
  sums: { commands: ['incr'], keys: ONE, promise: 'sum' },
  counters: { commands: ['setNumber', 'incr', 'incr', 'del'], keys: ONE },
  strings: { commands: STRINGS, keys: ONE },
  values: { commands: ['set', 'set', 'set', 'setUntil', 'incr'], keys: ONE },
  'strings with expiry': {
    commands: ['set', 'setNumber', 'setUntil', 'setKeep', 'incr', 'append', 'del', 'expire', 'persist'],
    keys: ONE,
  },
  'expiries alone': { commands: ['setUntil', 'set', 'del', 'expire', 'expire', 'persist'], keys: ONE },
  hashes: { commands: HASHES, keys: ONE },
  'hashes with expiry': { commands: [...HASHES, 'expire', 'persist'], keys: ONE },
  sets: { commands: SETS, keys: ONE },
  'set members': { commands: ['sadd', 'srem', 'del'], keys: ONE, promise: 'cells' },
  'set members, each added once': {
    commands: ['saddNew', 'saddNew', 'sremOld', 'del'],
    keys: ONE,
    promise: 'cells',
  },
  'sorted set members, each added once': {
    commands: ['zaddNew', 'zaddNew', 'zremOld', 'zpop', 'del'],
    keys: ONE,
    promise: 'cells',
  },
  'sets with expiry': { commands: [...SETS, 'expire', 'persist'], keys: ONE },
  'sorted sets': { commands: ZSETS, keys: ONE },
  'sorted set members': { commands: ['zadd', 'zrem', 'zincr', 'zpop', 'del'], keys: ONE, promise: 'cells' },
  'sorted sets with expiry': { commands: [...ZSETS, 'expire', 'persist'], keys: ONE },
  'endless scores': { commands: ['zadd', 'zrem', 'zincr', 'zincrEndless', 'zpop', 'del'], keys: ONE },
  'one-way queues': { commands: ['rpush', 'rpush', 'lpopOne'], keys: ONE, promise: 'exact elements' },
  stacks: { commands: ['lpush', 'lpush', 'lpopOne'], keys: ONE, promise: 'exact elements' },
  'queues with two ends': {
    commands: ['rpush', 'lpush', 'lpopOne', 'rpopOne'],
    keys: ONE,
    promise: 'elements',
  },
  queues: { commands: ['rpush', 'rpush', 'lpush', 'lpop', 'lpop', 'rpop'], keys: ONE, promise: 'elements' },
  'queues that are deleted': {
    commands: ['rpush', 'rpush', 'lpush', 'lpop', 'rpop', 'del'],
    keys: ONE,
    promise: 'elements',
  },
  'capped lists': { commands: ['lpush', 'lpush', 'ltrim'], keys: ONE, promise: 'elements' },
  'list edits': {
    commands: ['rpush', 'rpush', 'lpush', 'lpop', 'rpop', 'ltrim', 'lrem', 'linsert', 'rpushSame'],
    keys: ONE,
    promise: 'elements',
  },
  lists: { commands: LISTS, keys: ONE },
  'moves between lists': { commands: ['rpush', 'lpush', 'lpop', 'rpop', 'move', 'move'], keys: ['k', 'l'] },
  'moves and edits': { commands: [...LISTS, 'move', 'move', 'rotate', 'expire'], keys: ['k', 'l'] },
  'lists with expiry': { commands: [...LISTS, 'expire', 'persist'], keys: ONE },
  entries: { commands: ['xadd', 'xadd', 'xdel', 'xtrim', 'xtrimId', 'del'], keys: ONE, promise: 'cells' },
  streams: { commands: STREAMS, keys: ONE },
  'consumer groups': {
    commands: ['xaddFew', 'xaddFew', 'xclaimFew', 'xclaimFew', 'xackFew', 'xackFew', 'xgroupFew'],
    keys: ONE,
  },
  'streams with expiry': { commands: [...STREAMS, 'expire', 'persist'], keys: ONE },
  observations: { commands: ['pfadd', 'del'], keys: ONE },
  'observations alone': { commands: ['pfadd'], keys: ONE, promise: 'union' },
  types: {
    commands: ['set', 'incr', 'append', 'del', 'hset', 'hdel', 'hincr', 'sadd', 'srem', 'rpush', 'lpop'],
    keys: ONE,
  },
  'keys from keys': { commands: ['sadd', 'srem', 'del', 'rename', 'copy', 'union'], keys: ['k', 'l', 'm'] },
  'keys from keys, all types': {
    commands: [
      'set',
      'incr',
      'hset',
      'rpush',
      'lpop',
      'zadd',
      'sadd',
      'del',
      'rename',
      'copy',
      'union',
      'expire',
    ],
    keys: ['k', 'l', 'm'],
  },
  everything: { commands: ALL, keys: ONE },
  'everything, two keys': { commands: [...ALL, 'rename', 'copy'], keys: ['k', 'l'] },
};
