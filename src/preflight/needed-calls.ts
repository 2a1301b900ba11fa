/**
 * The commands that Tandem needs, each with arguments of a valid number: a server looks at their number before it looks at the rights.
 * A subcommand is named as an ACL rule names it. `test/unit/preflight/needed-calls.test.ts` holds this against the scripts.
 */

/** Arguments by command; an empty one stands for a key. */
export type Calls = Readonly<Record<string, readonly string[]>>;

/** Commands that replication uses at its own Redis, beside those of the users' data. */
export const REPLICATION_CALLS: Calls = {
  ping: [],
  info: [],
  time: [],
  select: ['0'],
  unwatch: [],
  eval: ['return 1', '1', ''],
  publish: ['', ''],
  scan: ['0'],
  type: [''],
  dump: [''],
  restore: ['', '0', 'v'],
  pttl: [''],
  pexpire: ['', '1'],
  pexpireat: ['', '1'],
  pexpiretime: [''],
  exists: [''],
  rename: ['', ''],
  move: ['', '1'],
  persist: [''],
  expire: ['', '1'],
  del: [''],
  unlink: [''],
  get: [''],
  append: ['', 'v'],
  getrange: ['', '0', '0'],
  strlen: [''],
  'memory|usage': [''],
  set: ['', 'v'],
  incr: [''],
  hget: ['', 'f'],
  hmget: ['', 'f'],
  hgetall: [''],
  hkeys: [''],
  hvals: [''],
  hlen: [''],
  hscan: ['', '0'],
  hexists: ['', 'f'],
  hset: ['', 'f', 'v'],
  hsetnx: ['', 'f', 'v'],
  hdel: ['', 'f'],
  hincrby: ['', 'f', '1'],
  hpexpireat: ['', '1', 'FIELDS', '1', 'f'],
  hpexpiretime: ['', 'FIELDS', '1', 'f'],
  'object|encoding': [''],
  lindex: ['', '0'],
  llen: [''],
  lrange: ['', '0', '0'],
  lpop: [''],
  rpop: [''],
  linsert: ['', 'BEFORE', 'a', 'b'],
  lrem: ['', '1', 'e'],
  lset: ['', '0', 'e'],
  ltrim: ['', '0', '0'],
  lpush: ['', 'e'],
  rpush: ['', 'e'],
  sadd: ['', 'm'],
  smembers: [''],
  sscan: ['', '0'],
  scard: [''],
  zadd: ['', '1', 'm'],
  zcard: [''],
  zrange: ['', '0', '0'],
  xack: ['', 'g', '1-1'],
  xadd: ['', '*', 'f', 'v'],
  xclaim: ['', 'g', 'c', '0', '1-1'],
  xdel: ['', '1-1'],
  xlen: [''],
  xrange: ['', '-', '+'],
  xrevrange: ['', '+', '-'],
  xsetid: ['', '1-1'],
  xtrim: ['', 'MAXLEN', '1'],
  'xinfo|groups': [''],
  'xinfo|stream': [''],
  xpending: ['', 'g'],
  vcard: [''],
  vdim: [''],
  vemb: ['', 'e'],
  vgetattr: ['', 'e'],
  vrandmember: [''],
};

/** Commands that only a flush of the peer's, or a swap of its databases, uses. */
export const FLUSH_CALLS: Calls = {
  flushdb: [],
  keys: ['*'],
  swapdb: ['0', '1'],
};

/** What, with `subscribe`, lets a second process see at once that the first one is gone. Without it the lease has to end. */
export const TAKEOVER_CALLS: Calls = {
  'pubsub|numsub': [''],
};

/** Commands that begin the copy and the comparison of functions. Where they are refused, functions are left out. */
export const FUNCTION_CALLS: Calls = {
  'function|list': [],
};

/** Commands that jobs use beside these. Replication goes on without them. */
export const JOB_CALLS: Calls = {
  evalsha: ['0'.repeat(40), '1', ''],
  hmset: ['', 'f', 'v'],
  lpos: ['', 'e'],
  rpoplpush: ['', ''],
  sismember: ['', 'm'],
  srem: ['', 'm'],
  zcount: ['', '0', '1'],
  zrangebyscore: ['', '0', '1'],
  zrem: ['', 'm'],
  zremrangebyscore: ['', '0', '1'],
  zrevrange: ['', '0', '0'],
  zscore: ['', 'm'],
};

/** Commands that `verify`, `conflicts --follow` and `unpair` use at their own Redis. */
export const COMMAND_LINE_CALLS: Calls = {
  xread: ['STREAMS', '', '0'],
};

/** Commands that the peer's account must be allowed, on the keys under `in:` alone. */
export const PEER_RIGHTS = [
  'ping',
  'info',
  'time',
  'eval',
  'evalsha',
  'hget',
  'hset',
  'hdel',
  'hmget',
  'rpush',
  'llen',
] as const;

/**
 * Commands that a supported server may lack, with the first version of Redis that has them: scripts ask for the version, or look at a
 * value of a type that only a server with these commands has (`null`).
 */
export const SINCE: Readonly<Record<string, readonly [major: number, minor: number] | null>> = {
  pexpiretime: [7, 0],
  'function|list': [7, 0],
  hpexpireat: [7, 4],
  hpexpiretime: [7, 4],
  vcard: null,
  vdim: null,
  vemb: null,
  vgetattr: null,
  vrandmember: null,
};
