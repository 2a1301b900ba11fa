import {
  FAR_MILLISECONDS,
  FAR_SECONDS,
  ODD_BYTES,
  binary,
  many,
  sample,
  type SampleTemplate,
} from './template.js';

const CONDITIONAL_SET = 'redis 8.4, valkey 8.1';

const SET_SAMPLES: readonly SampleTemplate[] = [
  sample('SET', (key) => [['SET', key(), 'value']]),
  sample('SET', (key) => [['SET', key(), '']], { about: 'an empty value' }),
  sample('SET', (key) => [['SET', binary(key()), ODD_BYTES]], { about: 'binary key and value' }),
  sample('SET', (key) => [['SET', key(), 'x'.repeat(100_000)]], { about: '100 kB' }),
  sample(
    'SET',
    (key) => [
      ['RPUSH', key(), 'a'],
      ['SET', key(), 'value'],
    ],
    { about: 'over a list' },
  ),
  sample(
    'SET',
    (key) => [
      ['SET', key(), 'old', 'EX', '600'],
      ['SET', key(), 'new'],
    ],
    { about: 'over an expiring value' },
  ),
  sample('SET', (key) => [['SET', key(), 'value', 'EX', '600']], { about: 'EX' }),
  sample('SET', (key) => [['set', key(), 'value', 'px', '600000']], { about: 'PX in lower case' }),
  sample('SET', (key) => [['SET', key(), 'value', 'EXAT', FAR_SECONDS]], { about: 'EXAT' }),
  sample('SET', (key) => [['SET', key(), 'value', 'PXAT', FAR_MILLISECONDS]], { about: 'PXAT' }),
  sample(
    'SET',
    (key) => [
      ['SET', key(), 'old', 'EX', '600'],
      ['SET', key(), 'new', 'KEEPTTL'],
    ],
    { about: 'KEEPTTL' },
  ),
  sample('SET', (key) => [['SET', key(), 'value', 'NX']], { about: 'NX' }),
  sample(
    'SET',
    (key) => [
      ['SET', key(), 'old'],
      ['SET', key(), 'new', 'XX'],
    ],
    { about: 'XX' },
  ),
  sample('SET', (key) => [['SET', key(), 'value', 'NX', 'EX', '600']], { about: 'NX EX' }),
  sample(
    'SET',
    (key) => [
      ['SET', key(), 'old'],
      ['SET', key(), 'new', 'GET'],
    ],
    { about: 'GET' },
  ),
  sample(
    'SET',
    (key) => [
      ['SET', key(), 'old'],
      ['SET', key(), 'new', 'XX', 'GET', 'PX', '600000'],
    ],
    { about: 'XX GET PX' },
  ),
  sample(
    'SET',
    (key) => [
      ['SET', key(), 'old'],
      ['SET', key(), 'new', 'IFEQ', 'old'],
    ],
    { about: 'IFEQ', since: CONDITIONAL_SET },
  ),
  sample(
    'SET',
    (key) => [
      ['SET', key(), 'nx'],
      ['SET', key(), 'get', 'IFEQ', 'nx', 'KEEPTTL'],
    ],
    { about: 'IFEQ KEEPTTL', since: CONDITIONAL_SET },
  ),
  sample(
    'SET',
    (key) => [
      ['SET', key(), 'old'],
      ['SET', key(), 'new', 'IFNE', 'other'],
    ],
    { about: 'IFNE', since: 'redis 8.4' },
  ),
];

const OVERWRITING: readonly SampleTemplate[] = [
  sample('SETEX', (key) => [['SETEX', key(), '600', 'value']]),
  sample('PSETEX', (key) => [['PSETEX', key(), '600000', 'value']]),
  sample('GETSET', (key) => [
    ['SET', key(), 'old', 'EX', '600'],
    ['GETSET', key(), 'new'],
  ]),
  sample('SETNX', (key) => [['SETNX', key(), 'value']]),
  sample('MSET', (key) => [['MSET', key(), '1', key('b'), '2', binary(key('c')), ODD_BYTES]]),
  sample('MSET', (key) => [['MSET', key(), '1', key(), '2']], { about: 'one key twice' }),
  sample('MSET', (key) => [['MSET', ...many(10_000).flatMap((name) => [key(name), name])]], {
    about: '10,000 keys',
  }),
  sample('MSETNX', (key) => [['MSETNX', key(), '1', key('b'), '2']]),
  sample('MSETEX', (key) => [['MSETEX', '2', key(), '1', key('b'), '2', 'EX', '600']], { about: 'EX' }),
  sample('MSETEX', (key) => [['MSETEX', '1', key(), 'nx', 'PXAT', FAR_MILLISECONDS]], { about: 'PXAT' }),
  sample('MSETEX', (key) => [['MSETEX', '2', key(), '1', key('b'), '2', 'NX']], { about: 'NX' }),
  sample(
    'MSETEX',
    (key) => [
      ['SET', key(), '1', 'EX', '600'],
      ['MSETEX', '1', key(), '2', 'KEEPTTL'],
    ],
    { about: 'KEEPTTL' },
  ),
  sample('GETDEL', (key) => [
    ['SET', key(), 'value'],
    ['GETDEL', key()],
  ]),
  sample(
    'GETEX',
    (key) => [
      ['SET', key(), 'value'],
      ['GETEX', key(), 'EX', '600'],
    ],
    { about: 'EX' },
  ),
  sample(
    'GETEX',
    (key) => [
      ['SET', key(), 'value'],
      ['GETEX', key(), 'PXAT', FAR_MILLISECONDS],
    ],
    { about: 'PXAT' },
  ),
  sample(
    'GETEX',
    (key) => [
      ['SET', key(), 'value', 'EX', '600'],
      ['GETEX', key(), 'PERSIST'],
    ],
    { about: 'PERSIST' },
  ),
  sample(
    'GETEX',
    (key) => [
      ['SET', key(), 'value'],
      ['GETEX', key(), 'EXAT', '1'],
    ],
    { about: 'a moment that is gone' },
  ),
  sample('DELEX', (key) => [
    ['SET', key(), 'value'],
    ['DELEX', key()],
  ]),
  sample(
    'DELEX',
    (key) => [
      ['SET', key(), 'value'],
      ['DELEX', key(), 'IFEQ', 'value'],
    ],
    { about: 'IFEQ' },
  ),
  sample('DELIFEQ', (key) => [
    ['SET', key(), 'value'],
    ['DELIFEQ', key(), 'value'],
  ]),
];

const BUILDING: readonly SampleTemplate[] = [
  sample('APPEND', (key) => [['APPEND', key(), 'value']], { about: 'absent' }),
  sample(
    'APPEND',
    (key) => [
      ['SET', key(), 'a', 'EX', '600'],
      ['APPEND', key(), ODD_BYTES],
    ],
    { about: 'expiring' },
  ),
  sample('SETRANGE', (key) => [
    ['SET', key(), 'abcdef'],
    ['SETRANGE', key(), '2', 'XY'],
  ]),
  sample('SETRANGE', (key) => [['SETRANGE', key(), '10', 'XY']], { about: 'behind the end' }),
  sample('INCR', (key) => [['INCR', key()]], { about: 'absent' }),
  sample(
    'INCR',
    (key) => [
      ['SET', key(), '10', 'EX', '600'],
      ['INCR', key()],
    ],
    { about: 'expiring' },
  ),
  sample('DECR', (key) => [
    ['SET', key(), '10'],
    ['DECR', key()],
  ]),
  sample('INCRBY', (key) => [
    ['SET', key(), '10'],
    ['INCRBY', key(), '-25'],
  ]),
  sample('DECRBY', (key) => [['DECRBY', key(), '9007199254740993']], { about: 'more than a double holds' }),
  sample(
    'INCRBYFLOAT',
    (key) => [
      ['SET', key(), '10.5', 'EX', '600'],
      ['INCRBYFLOAT', key(), '1.0e-1'],
    ],
    { about: 'expiring' },
  ),
  sample('INCREX', (key) => [['INCREX', key(), 'BYINT', '2', 'UBOUND', '5', 'EX', '600']]),
];

const BITS: readonly SampleTemplate[] = [
  sample('SETBIT', (key) => [['SETBIT', key(), '7', '1']]),
  sample(
    'SETBIT',
    (key) => [
      ['SETBIT', key(), '7', '1'],
      ['SETBIT', key(), '7', '0'],
    ],
    { about: 'back to 0' },
  ),
  sample('SETBIT', (key) => [['SETBIT', key(), '100000', '1']], { about: 'far behind the end' }),
  sample('BITFIELD', (key) => [['BITFIELD', key(), 'SET', 'u8', '#1', '200']], { about: 'SET' }),
  sample(
    'BITFIELD',
    (key) => [
      ['SET', key(), '\u007f'],
      [
        'BITFIELD',
        key(),
        'GET',
        'u4',
        '0',
        'OVERFLOW',
        'SAT',
        'INCRBY',
        'i8',
        '0',
        '100',
        'SET',
        'u2',
        '20',
        '3',
      ],
    ],
    { about: 'several' },
  ),
  ...['AND', 'OR', 'XOR'].map((operation) =>
    sample(
      'BITOP',
      (key) => [
        ['MSET', key('a'), 'abc', key('b'), 'abd'],
        ['BITOP', operation, key(), key('a'), key('b'), key('absent')],
      ],
      { about: operation },
    ),
  ),
  sample(
    'BITOP',
    (key) => [
      ['SET', key('a'), 'abc'],
      ['BITOP', 'NOT', key(), key('a')],
    ],
    { about: 'NOT' },
  ),
  sample(
    'BITOP',
    (key) => [
      ['SET', key(), 'abc'],
      ['BITOP', 'OR', key(), key('absent')],
    ],
    { about: 'to nothing' },
  ),
  sample(
    'BITOP',
    (key) => [
      ['MSET', key('a'), 'abc', key('b'), 'abd'],
      ['BITOP', 'ANDOR', key(), key('a'), key('b')],
    ],
    { about: 'ANDOR', since: 'redis 8.2' },
  ),
];

const COUNTING: readonly SampleTemplate[] = [
  sample('PFADD', (key) => [['PFADD', key(), 'a', 'b', ODD_BYTES]]),
  sample('PFADD', (key) => [['PFADD', key()]], { about: 'no element' }),
  sample('PFADD', (key) => [['PFADD', key(), ...many(5_000)]], { about: '5,000 elements' }),
  sample('PFMERGE', (key) => [
    ['PFADD', key(), 'a'],
    ['PFADD', key('a'), 'b'],
    ['PFADD', key('b'), 'c'],
    ['PFMERGE', key(), key('a'), key('b')],
  ]),
  sample('PFMERGE', (key) => [['PFMERGE', key()]], { about: 'no source' }),
  sample('PFCOUNT', (key) => [
    ['PFADD', key(), 'a', 'b'],
    ['PFCOUNT', key()],
  ]),
];

export const STRING_SAMPLES: readonly SampleTemplate[] = [
  ...SET_SAMPLES,
  ...OVERWRITING,
  ...BUILDING,
  ...BITS,
  ...COUNTING,
];
