/** Commands of which every two are tried against one another, and the states they meet. `K` stands for the key of a case. */

export type Words = readonly string[];

/** A far expiry; the second one is later. */
const UNTIL = '4102444800000';
const LATER = '4102448400000';

/** At least one for each kind of write, all types. An `@` is replaced by the name of the site that writes. */
export const COMMANDS: readonly Words[] = [
  'SET K @', 'SET K 7', `SET K @ PXAT ${UNTIL}`, 'SET K 1.5 KEEPTTL', 'DEL K', 'UNLINK K', 'INCRBY K 7', 'DECRBY K 2', 'INCRBYFLOAT K 1.5',
  'APPEND K @', 'SETRANGE K 1 @', 'SETBIT K 3 1', 'SETBIT K 5 0', 'BITFIELD K SET u8 0 200', 'GETDEL K', 'MSET K @ K:other @',
  `PEXPIREAT K ${UNTIL}`, `PEXPIREAT K ${LATER}`, 'PERSIST K',
  'HSET K f @', 'HSET K g @', 'HSET K f @ g @', 'HDEL K f', 'HDEL K f g', 'HINCRBY K n 5', 'HINCRBY K f 1', 'HINCRBYFLOAT K n 1.5', 'HSETNX K new @',
  'SADD K m', 'SADD K @', 'SADD K m n o', 'SREM K m', 'SPOP K', 'SMOVE K K:other m', 'SUNIONSTORE K K K:source', 'SINTERSTORE K K K:source',
  'ZADD K 1 m', 'ZADD K 2 m', 'ZADD K 3 @', 'ZADD K GT 9 m', 'ZINCRBY K 2 m', 'ZREM K m', 'ZPOPMIN K', 'ZREMRANGEBYSCORE K 0 1', 'ZUNIONSTORE K 2 K K:source', 'GEOADD K 13 38 @',
  'RPUSH K @', 'LPUSH K @', 'RPUSH K @ @2', 'LPOP K', 'RPOP K', 'LPOP K 2', 'LSET K 0 @', 'LSET K -1 @', 'LTRIM K 0 1', 'LREM K 0 b', 'LINSERT K BEFORE b @', 'RPOPLPUSH K K:other', 'LMOVE K K LEFT RIGHT',
  'XADD K 5-1 f @', 'XADD K * f @', 'XADD K MAXLEN = 2 * f @', 'XDEL K 1-1', 'XTRIM K MAXLEN = 1', 'XGROUP CREATE K grp 0 MKSTREAM', 'XGROUP DESTROY K group', 'XACK K group 1-1', 'XSETID K 9-9',
  'PFADD K @', 'PFADD K a b', 'PFMERGE K K:source',
  'RENAME K K:other', 'COPY K K:other REPLACE', 'COPY K:source K REPLACE', 'BITOP NOT K K:source', 'SORT K ALPHA STORE K:other', 'RESTORE K 0 \\x00\\x01a\\x0b\\x00 REPLACE',
].map((line) => line.split(' '));

/** What a case begins with, on both sides. */
export const STATES: Readonly<Record<string, readonly Words[]>> = {
  absent: [],
  string: [['SET', 'K', '10']],
  'string with expiry': [['SET', 'K', '10', 'PXAT', UNTIL]],
  hash: [['HSET', 'K', 'f', '1', 'g', '2']],
  set: [['SADD', 'K', 'm', 'n']],
  zset: [['ZADD', 'K', '1', 'm', '5', 'n']],
  list: [['RPUSH', 'K', 'a', 'b', 'c']],
  stream: [
    ['XADD', 'K', '1-1', 'f', 'v'],
    ['XADD', 'K', '2-1', 'f', 'v'],
    ['XGROUP', 'CREATE', 'K', 'group', '0'],
    ['XREADGROUP', 'GROUP', 'group', 'ann', 'STREAMS', 'K', '>'],
  ],
};
