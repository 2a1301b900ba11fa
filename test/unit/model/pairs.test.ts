import { describe, expect, test } from 'vitest';
import { meet } from '../../support/model/meeting.js';
import type { Argv } from '../../support/model/redis/store.js';

type Row = [what: string, start: string, east: string, west: string, outcome: string, ifEastIsLater?: string];

/** Commands as a text: words by spaces, commands by semicolons. */
function commands(text: string): Argv[] {
  return text === '' ? [] : text.split('; ').map((command) => command.split(' '));
}

/** Outcome on both sites, whoever hears first; the last column where it depends on whose write is the later. */
const ROWS: Row[] = [
  ['SET ‖ SET: the later', '', 'SET k a', 'SET k b', 'k: "b"', 'k: "a"'],
  ['INCRBY ‖ INCRBY: the sum', 'SET k 100', 'INCRBY k 7', 'INCRBY k 5', 'k: "112"'],
  ['SET ‖ INCRBY: the sum on the new value', 'SET k 1', 'SET k 10', 'INCRBY k 5', 'k: "15"'],
  ['DEL ‖ SET: the write', 'SET k 1', 'DEL k', 'SET k 2', 'k: "2"'],
  ['DEL ‖ HSET: what the deletion had not seen', 'HSET k a 1', 'DEL k', 'HSET k b 2', 'k: hash{b=2}'],
  ['DEL ‖ SADD: what the deletion had not seen', 'SADD k a', 'DEL k', 'SADD k b', 'k: set{b}'],
  ['DEL ‖ ZADD: what the deletion had not seen', 'ZADD k 1 a', 'DEL k', 'ZADD k 2 b', 'k: zset{b=2}'],
  ['DEL ‖ INCRBY: what the deletion had not seen', 'SET k 100', 'DEL k', 'INCRBY k 5', 'k: "5"'],
  [
    'DEL ‖ XADD: what the deletion had not seen',
    'XADD k 1 f v',
    'DEL k',
    'XADD k 2 f w',
    'k: stream[2=f,w] last 2',
  ],
  ['DEL ‖ RPUSH: what the deletion had not seen', 'RPUSH k a', 'DEL k', 'RPUSH k b', 'k: [b]'],
  [
    'DEL ‖ LPOP and RPUSH: what the deletion had not seen',
    'RPUSH k a b',
    'DEL k',
    'LPOP k; RPUSH k c',
    'k: [c]',
  ],
  ['DEL ‖ PFADD: what the deletion had not seen', 'PFADD k a', 'DEL k', 'PFADD k b', 'k: hyperloglog{b}'],
  ['HSET ‖ HSET of two fields: both', '', 'HSET k f 1', 'HSET k g 2', 'k: hash{f=1 g=2}'],
  ['HSET ‖ HSET of one field: the later', '', 'HSET k f 1', 'HSET k f 2', 'k: hash{f=2}', 'k: hash{f=1}'],
  ['SADD ‖ SADD: both', '', 'SADD k a', 'SADD k b', 'k: set{a b}'],
  ['SETBIT ‖ SETBIT of two bits: both', '', 'SETBIT k 1 1', 'SETBIT k 7 1', 'k: "A"'],
  [
    'SETBIT ‖ SETBIT of one bit: the later',
    'SET k A',
    'SETBIT k 1 0',
    'SETBIT k 1 1',
    'k: "A"',
    'k: "\\u0001"',
  ],
  ['SET KEEPTTL ‖ SETBIT: the bit on the new value', 'SET k A', 'SET k @ KEEPTTL', 'SETBIT k 7 1', 'k: "A"'],
  ['HSET ‖ HDEL: the write', 'HSET k f 1', 'HSET k f 2', 'HDEL k f', 'k: hash{f=2}'],
  ['SADD ‖ SREM: the write', 'SADD k a', 'SREM k a; SADD k a', 'SREM k a', 'k: set{a}'],
  ['ZADD ‖ ZREM: the write', 'ZADD k 1 a', 'ZADD k 2 a', 'ZREM k a', 'k: zset{a=2}'],
  ['ZREM ‖ ZINCRBY: the unseen sum', 'ZADD k 1 a', 'ZREM k a', 'ZINCRBY k 2 a', 'k: zset{a=2}'],
  ['ZINCRBY ‖ ZINCRBY: the sum', 'ZADD k 1 a', 'ZINCRBY k 2 a', 'ZINCRBY k 3 a', 'k: zset{a=6}'],
  ['HINCRBY ‖ DEL: the unseen sum', 'HSET k f 10', 'HINCRBY k f 3', 'DEL k', 'k: hash{f=3}'],
  ['HINCRBY ‖ HINCRBY: the sum', '', 'HINCRBY k f 3', 'HINCRBY k f 4', 'k: hash{f=7}'],
  [
    'PEXPIREAT ‖ PEXPIREAT: the longer life',
    'SET k 1',
    'PEXPIREAT k 9000',
    'PEXPIREAT k 9001',
    'k: "1" until 9001',
  ],
  ['PEXPIREAT ‖ PERSIST: no end', 'SET k 1 PXAT 8000', 'PEXPIREAT k 9000', 'PERSIST k', 'k: "1"'],
  [
    'SET ‖ PEXPIREAT: the new value with that expiry',
    'SET k 1',
    'SET k 2',
    'PEXPIREAT k 9000',
    'k: "2" until 9000',
  ],
  ['PEXPIREAT ‖ DEL: gone', 'SET k 1', 'PEXPIREAT k 9000', 'DEL k', ''],
  ['RPUSH ‖ RPUSH: both, one order', 'RPUSH k a', 'RPUSH k x', 'RPUSH k y', 'k: [a x y]'],
  ['LPUSH ‖ LPUSH: both, one order', 'RPUSH k a', 'LPUSH k x', 'LPUSH k y', 'k: [x y a]'],
  ['LPOP ‖ LPOP: one element gone', 'RPUSH k a b c', 'LPOP k', 'LPOP k', 'k: [b c]'],
  ['LPOP ‖ RPOP: both gone', 'RPUSH k a b c', 'LPOP k', 'RPOP k', 'k: [b]'],
  ['LPOP 2 ‖ LPOP: the longer of the two', 'RPUSH k a b c', 'LPOP k 2', 'LPOP k', 'k: [c]'],
  ['RPUSH ‖ LPOP: as if in order', 'RPUSH k a', 'RPUSH k b', 'LPOP k', 'k: [b]'],
  [
    'LSET ‖ LSET of one element: the later',
    'RPUSH k a b',
    'LSET k 0 x',
    'LSET k 0 y',
    'k: [y b]',
    'k: [x b]',
  ],
  ['LSET ‖ LPOP of one element: gone', 'RPUSH k a b', 'LSET k 0 x', 'LPOP k', 'k: [b]'],
  ['LSET ‖ LPUSH: the element that was meant', 'RPUSH k a b', 'LSET k 1 x', 'LPUSH k y', 'k: [y a x]'],
  ['LTRIM ‖ LPUSH: no push is trimmed unseen', 'RPUSH k a b c', 'LTRIM k 0 0', 'LPUSH k x', 'k: [x a]'],
  ['LREM ‖ RPUSH of the same: the new one stays', 'RPUSH k a b', 'LREM k 0 a', 'RPUSH k a', 'k: [b a]'],
  ['LINSERT ‖ RPUSH: both', 'RPUSH k a b', 'LINSERT k BEFORE b x', 'RPUSH k c', 'k: [a x b c]'],
  ['APPEND ‖ APPEND: both, the later first', 'SET k a', 'APPEND k x', 'APPEND k y', 'k: "ayx"', 'k: "axy"'],
  ['SETRANGE ‖ APPEND: both', 'SET k abc', 'SETRANGE k 0 x', 'APPEND k d', 'k: "xbcd"'],
  [
    'ZPOPMIN ‖ ZADD: what was popped, and the new one',
    'ZADD k 1 a 2 b',
    'ZPOPMIN k',
    'ZADD k 0 c',
    'k: zset{b=2 c=0}',
  ],
  [
    'ZPOPMIN ‖ ZADD of what was popped: the write',
    'ZADD k 1 a 2 b',
    'ZPOPMIN k',
    'ZADD k 3 a',
    'k: zset{a=3 b=2}',
  ],
  ['ZPOPMIN ‖ ZPOPMIN: one gone', 'ZADD k 1 a 2 b', 'ZPOPMIN k', 'ZPOPMIN k', 'k: zset{b=2}'],
  ['ZADD GT ‖ ZADD GT: the greater', 'ZADD k 1 a', 'ZADD k GT 5 a', 'ZADD k GT 3 a', 'k: zset{a=5}'],
  ['SET ‖ HSET: the whole write', '', 'SET k 1', 'HSET k f 1', 'k: "1"'],
  ['INCRBY ‖ HSET on nothing: the later', '', 'INCRBY k 1', 'HSET k f 1', 'k: hash{f=1}', 'k: "1"'],
  ['RPUSH ‖ SADD on nothing: the later', '', 'RPUSH k a', 'SADD k a', 'k: set{a}', 'k: [a]'],
  ['XADD ‖ XADD: both, by ID', '', 'XADD k 5 f e', 'XADD k 3 f w', 'k: stream[3=f,w 5=f,e] last 5'],
  [
    'XADD ‖ XADD of one ID: both, that of the larger site name is moved',
    '',
    'XADD k 5 f e',
    'XADD k 5 f w',
    'k: stream[5=f,e 5-4294967296=f,w] last 5-4294967296',
  ],
  [
    'XTRIM ‖ XADD: no entry is trimmed unseen',
    'XADD k 1 f a; XADD k 2 f b',
    'XTRIM k MAXLEN 1',
    'XADD k 3 f c',
    'k: stream[2=f,b 3=f,c] last 3',
  ],
  [
    'XTRIM ‖ XTRIM: the shorter',
    'XADD k 1 f a; XADD k 2 f b; XADD k 3 f c',
    'XTRIM k MAXLEN 1',
    'XTRIM k MAXLEN 2',
    'k: stream[3=f,c] last 3',
  ],
  [
    'XDEL ‖ XDEL: both gone',
    'XADD k 1 f a; XADD k 2 f b; XADD k 3 f c',
    'XDEL k 1',
    'XDEL k 3',
    'k: stream[2=f,b] last 3',
  ],
  [
    'XACK ‖ XCLAIM: acknowledged is final',
    'XADD k 1 f a; XGROUP CREATE k g 0; XCLAIM k g ann 1',
    'XACK k g 1',
    'XCLAIM k g bob 1',
    'k: stream[1=f,a] last 1 g@1()',
  ],
  [
    'XCLAIM ‖ XCLAIM of one entry: the later',
    'XADD k 1 f a; XGROUP CREATE k g 0',
    'XCLAIM k g ann 1',
    'XCLAIM k g bob 1',
    'k: stream[1=f,a] last 1 g@1(1=bob)',
    'k: stream[1=f,a] last 1 g@1(1=ann)',
  ],
  [
    'XGROUP DESTROY ‖ XCLAIM: the group is gone',
    'XADD k 1 f a; XGROUP CREATE k g 0',
    'XGROUP DESTROY k g',
    'XCLAIM k g bob 1',
    'k: stream[1=f,a] last 1',
  ],
  ['PFADD ‖ PFADD: the union', '', 'PFADD k a', 'PFADD k b', 'k: hyperloglog{a b}'],
  [
    'RENAME ‖ SADD to the source: what the renaming had not seen',
    'SADD k a',
    'RENAME k l',
    'SADD k b',
    'k: set{b}\nl: set{a}',
  ],
  [
    'COPY ‖ SADD to the source: the copy is that of its origin',
    'SADD k a',
    'COPY k l REPLACE',
    'SADD k b',
    'k: set{a b}\nl: set{a}',
  ],
  [
    'SUNIONSTORE ‖ SADD to a source: the union is that of its origin',
    'SADD k a; SADD l b',
    'SUNIONSTORE m k l',
    'SADD l c',
    'k: set{a}\nl: set{b c}\nm: set{a b}',
  ],
  ['own branch: SET, then DEL ‖ SET returns to the other SET', '', 'SET k 2; DEL k', 'SET k 3', 'k: "3"'],
];

describe('two writes that do not know of each other', () => {
  test.each(ROWS)('%s', (_, start, east, west, outcome, ifEastIsLater = outcome) => {
    for (const first of ['east', 'west'] as const) {
      const meeting = { start: commands(start), east: commands(east), west: commands(west), first };
      expect(meet({ ...meeting, later: 'west' })).toEqual({ east: outcome, west: outcome });
      expect(meet({ ...meeting, later: 'east' })).toEqual({ east: ifEastIsLater, west: ifEastIsLater });
    }
  });
});
