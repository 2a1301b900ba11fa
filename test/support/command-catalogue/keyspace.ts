import { FAR_MILLISECONDS, FAR_SECONDS, binary, many, sample, type SampleTemplate } from './template.js';

/** `DUMP` of the string `restored` and of the list `a b c`, by a Redis 6.2 (RDB version 9): every later server reads them. */
const DUMPED_STRING = Buffer.from('0008726573746f72656409006597e91486e96945', 'hex');
const DUMPED_LIST = Buffer.from('0e011414000000100000000300000161030162030163ff0900b5123dab1d2e4b11', 'hex');

/** Databases that samples may use beside 0. */
const OTHER = '9';
const FLUSHED = 10;

const REMOVING: readonly SampleTemplate[] = [
  sample('DEL', (key) => [
    ['SET', key(), 'value'],
    ['DEL', key()],
  ]),
  sample(
    'DEL',
    (key) => [
      ['MSET', key(), '1', binary(key('b')), '2'],
      ['DEL', key('absent'), key(), binary(key('b'))],
    ],
    { about: 'several, one absent' },
  ),
  sample(
    'DEL',
    (key) => [
      ['MSET', ...many(10_000).flatMap((name) => [key(name), name])],
      ['DEL', ...many(10_000).map(key)],
    ],
    { about: '10,000 keys' },
  ),
  sample(
    'DEL',
    (key) => [
      ['SET', key(), 'value'],
      ['DEL', key()],
    ],
    { about: 'in another database', database: 9 },
  ),
  sample('UNLINK', (key) => [
    ['RPUSH', key(), 'a'],
    ['UNLINK', key()],
  ]),
];

const EXPIRING: readonly SampleTemplate[] = [
  sample('EXPIRE', (key) => [
    ['SET', key(), 'value'],
    ['EXPIRE', key(), '600'],
  ]),
  sample(
    'EXPIRE',
    (key) => [
      ['SADD', key(), 'a'],
      ['EXPIRE', key(), '600', 'NX'],
    ],
    { about: 'NX', since: 'redis 7.0, valkey 7.2' },
  ),
  sample(
    'EXPIRE',
    (key) => [
      ['SET', key(), 'value', 'EX', '60'],
      ['EXPIRE', key(), '600', 'XX', 'GT'],
    ],
    { about: 'XX GT', since: 'redis 7.0, valkey 7.2' },
  ),
  sample(
    'EXPIRE',
    (key) => [
      ['SET', key(), 'value'],
      ['EXPIRE', key(), '-1'],
    ],
    { about: 'a moment that is gone' },
  ),
  sample('PEXPIRE', (key) => [
    ['HSET', key(), 'f', 'v'],
    ['PEXPIRE', key(), '600000'],
  ]),
  sample('EXPIREAT', (key) => [
    ['SET', key(), 'value'],
    ['EXPIREAT', key(), FAR_SECONDS],
  ]),
  sample('PEXPIREAT', (key) => [
    ['SET', key(), 'value'],
    ['PEXPIREAT', key(), FAR_MILLISECONDS],
  ]),
  sample(
    'PEXPIREAT',
    (key) => [
      ['SET', key(), 'value', 'EX', '60'],
      ['PEXPIREAT', key(), FAR_MILLISECONDS, 'LT'],
    ],
    { about: 'LT that fails', since: 'redis 7.0, valkey 7.2', quietSince: 'redis 7.0, valkey 7.2' },
  ),
  sample('PERSIST', (key) => [
    ['SET', key(), 'value', 'EX', '600'],
    ['PERSIST', key()],
  ]),
];

const MOVING: readonly SampleTemplate[] = [
  sample('RENAME', (key) => [
    ['SET', key(), 'value', 'EX', '600'],
    ['RENAME', key(), key('b')],
  ]),
  sample(
    'RENAME',
    (key) => [
      ['SET', key(), 'value'],
      ['RPUSH', key('b'), 'a'],
      ['RENAME', key(), key('b')],
    ],
    { about: 'over another type' },
  ),
  sample('RENAMENX', (key) => [
    ['SET', key(), 'value'],
    ['RENAMENX', key(), key('b')],
  ]),
  sample('MOVE', (key) => [
    ['SET', key(), 'value', 'EX', '600'],
    ['MOVE', key(), OTHER],
  ]),
  sample('COPY', (key) => [
    ['SET', key(), 'value', 'EX', '600'],
    ['COPY', key(), key('b')],
  ]),
  sample(
    'COPY',
    (key) => [
      ['SET', key(), 'value'],
      ['RPUSH', key('b'), 'a'],
      ['COPY', key(), key('b'), 'REPLACE'],
    ],
    { about: 'REPLACE' },
  ),
  sample(
    'COPY',
    (key) => [
      ['SET', key(), 'value'],
      ['COPY', key(), key(), 'DB', OTHER, 'REPLACE'],
    ],
    { about: 'DB' },
  ),
];

const RESTORING: readonly SampleTemplate[] = [
  sample('RESTORE', (key) => [['RESTORE', key(), '0', DUMPED_STRING]]),
  sample(
    'RESTORE',
    (key) => [
      ['SET', key(), 'old'],
      ['RESTORE', key(), '600000', DUMPED_LIST, 'REPLACE'],
    ],
    { about: 'REPLACE with an expiry' },
  ),
  sample('RESTORE', (key) => [['RESTORE', key(), FAR_MILLISECONDS, DUMPED_STRING, 'ABSTTL', 'FREQ', '3']], {
    about: 'ABSTTL',
  }),
  sample('RESTORE-ASKING', (key) => [['RESTORE-ASKING', key(), '0', DUMPED_STRING]]),
];

const SORTING: readonly SampleTemplate[] = [
  sample('SORT', (key) => [
    ['RPUSH', key('a'), '3', '1', '2'],
    ['SORT', key('a'), 'STORE', key()],
  ]),
  sample(
    'SORT',
    (key) => [
      ['SADD', key('a'), 'x', 'y', 'z'],
      ['SORT', key('a'), 'LIMIT', '0', '2', 'ALPHA', 'DESC', 'STORE', key()],
    ],
    { about: 'LIMIT ALPHA DESC' },
  ),
  sample(
    'SORT',
    (key) => [
      ['RPUSH', key('a'), '1', '2'],
      ['MSET', key('w:1'), '20', key('w:2'), '10'],
      ['SORT', key('a'), 'BY', key('w:*'), 'GET', key('w:*'), 'GET', '#', 'STORE', key()],
    ],
    { about: 'BY GET' },
  ),
  sample(
    'SORT',
    (key) => [
      ['RPUSH', key(), 'a'],
      ['SORT', key('absent'), 'STORE', key()],
    ],
    { about: 'to nothing' },
  ),
];

const WHOLE_DATABASES: readonly SampleTemplate[] = [
  sample(
    'SWAPDB',
    (key) => [
      ['SELECT', '11'],
      ['SET', key(), 'value'],
      ['SELECT', '0'],
      ['SWAPDB', '11', '12'],
    ],
    { wide: true },
  ),
  sample('FLUSHDB', (key) => [['SET', key(), 'value'], ['FLUSHDB']], { database: FLUSHED, wide: true }),
  sample(
    'FLUSHDB',
    (key) => [
      ['SET', key(), 'value'],
      ['FLUSHDB', 'ASYNC'],
    ],
    { about: 'ASYNC', database: FLUSHED, wide: true },
  ),
  sample('FLUSHALL', (key) => [['SET', key(), 'value'], ['FLUSHALL']], { wide: true }),
];

export const KEYSPACE_SAMPLES: readonly SampleTemplate[] = [
  ...REMOVING,
  ...EXPIRING,
  ...MOVING,
  ...RESTORING,
  ...SORTING,
  ...WHOLE_DATABASES,
];
