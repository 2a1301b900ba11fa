import { ODD_BYTES, many, sample, type SampleTemplate } from './template.js';

const ABC = ['a', 'b', 'c'];

const ENDS: readonly SampleTemplate[] = [
  sample('LPUSH', (key) => [['LPUSH', key(), 'a', ODD_BYTES, '']]),
  sample('RPUSH', (key) => [
    ['RPUSH', key(), 'a'],
    ['RPUSH', key(), 'b', '3'],
  ]),
  sample('RPUSH', (key) => [['RPUSH', key(), ...many(20_000)]], { about: '20,000 elements' }),
  sample('LPUSHX', (key) => [
    ['RPUSH', key(), 'a'],
    ['LPUSHX', key(), 'b', 'c'],
  ]),
  sample('RPUSHX', (key) => [
    ['RPUSH', key(), 'a'],
    ['RPUSHX', key(), 'b'],
  ]),
  sample('LPOP', (key) => [
    ['RPUSH', key(), ...ABC],
    ['LPOP', key()],
  ]),
  sample(
    'LPOP',
    (key) => [
      ['RPUSH', key(), ...ABC],
      ['LPOP', key(), '2'],
    ],
    { about: 'two' },
  ),
  sample('RPOP', (key) => [
    ['RPUSH', key(), ...ABC],
    ['RPOP', key()],
  ]),
  sample(
    'RPOP',
    (key) => [
      ['RPUSH', key(), ...ABC],
      ['RPOP', key(), '9'],
    ],
    { about: 'all' },
  ),
  sample('BLPOP', (key) => [
    ['RPUSH', key(), ...ABC],
    ['BLPOP', key('absent'), key(), '0'],
  ]),
  sample(
    'BRPOP',
    (key) => [
      ['RPUSH', key(), 'a'],
      ['BRPOP', key(), '1'],
    ],
    { about: 'the last element' },
  ),
  sample('LMPOP', (key) => [
    ['RPUSH', key(), ...ABC],
    ['LMPOP', '2', key('absent'), key(), 'LEFT', 'COUNT', '2'],
  ]),
  sample('BLMPOP', (key) => [
    ['RPUSH', key(), ...ABC],
    ['BLMPOP', '0', '1', key(), 'RIGHT'],
  ]),
];

const EDITING: readonly SampleTemplate[] = [
  sample('LSET', (key) => [
    ['RPUSH', key(), ...ABC],
    ['LSET', key(), '-1', 'z'],
  ]),
  sample('LTRIM', (key) => [
    ['RPUSH', key(), ...ABC],
    ['LTRIM', key(), '1', '-1'],
  ]),
  sample(
    'LTRIM',
    (key) => [
      ['RPUSH', key(), ...ABC],
      ['LTRIM', key(), '5', '9'],
    ],
    { about: 'all' },
  ),
  sample('LREM', (key) => [
    ['RPUSH', key(), 'a', 'b', 'a'],
    ['LREM', key(), '-1', 'a'],
  ]),
  sample('LINSERT', (key) => [
    ['RPUSH', key(), ...ABC],
    ['LINSERT', key(), 'BEFORE', 'b', 'new'],
  ]),
];

const MOVING: readonly SampleTemplate[] = [
  sample('LMOVE', (key) => [
    ['RPUSH', key(), ...ABC],
    ['LMOVE', key(), key('b'), 'LEFT', 'RIGHT'],
  ]),
  sample(
    'LMOVE',
    (key) => [
      ['RPUSH', key(), ...ABC],
      ['LMOVE', key(), key(), 'LEFT', 'RIGHT'],
    ],
    { about: 'within one list' },
  ),
  sample('BLMOVE', (key) => [
    ['RPUSH', key(), ...ABC],
    ['BLMOVE', key(), key('b'), 'RIGHT', 'LEFT', '0'],
  ]),
  sample('LMOVEM', (key) => [
    ['RPUSH', key(), ...ABC],
    ['LMOVEM', key(), key('b'), 'LEFT', 'RIGHT', 'COUNT', '2', 'OBO'],
  ]),
  sample('BLMOVEM', (key) => [
    ['RPUSH', key(), ...ABC],
    ['BLMOVEM', key(), key('b'), 'LEFT', 'RIGHT', '1'],
  ]),
  sample('RPOPLPUSH', (key) => [
    ['RPUSH', key(), ...ABC],
    ['RPOPLPUSH', key(), key('b')],
  ]),
  sample('BRPOPLPUSH', (key) => [
    ['RPUSH', key(), ...ABC],
    ['BRPOPLPUSH', key(), key('b'), '0'],
  ]),
];

export const LIST_SAMPLES: readonly SampleTemplate[] = [...ENDS, ...EDITING, ...MOVING];
