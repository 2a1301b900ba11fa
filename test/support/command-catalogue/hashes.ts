import {
  FAR_MILLISECONDS,
  FAR_SECONDS,
  ODD_BYTES,
  binary,
  many,
  sample,
  type SampleTemplate,
} from './template.js';

const WRITING: readonly SampleTemplate[] = [
  sample('HSET', (key) => [['HSET', key(), 'f', 'v']]),
  sample(
    'HSET',
    (key) => [
      ['HSET', key(), 'f', '1', 'g', '2'],
      ['HSET', key(), 'f', '3', 'h', '4', 'f', '5'],
    ],
    { about: 'old and new, one twice' },
  ),
  sample('HSET', (key) => [['HSET', binary(key()), ODD_BYTES, ODD_BYTES, '', '']], {
    about: 'binary and empty',
  }),
  sample('HSET', (key) => [['HSET', key(), ...many(20_000).flatMap((name) => [name, 'v'])]], {
    about: '20,000 fields',
  }),
  sample(
    'HSET',
    (key) => [
      ['HSET', key(), 'f', 'v'],
      ['HEXPIRE', key(), '600', 'FIELDS', '1', 'f'],
      ['HSET', key(), 'f', 'w'],
    ],
    { about: 'over an expiring field', since: 'redis 7.4, valkey 9.0' },
  ),
  sample('HMSET', (key) => [['HMSET', key(), 'f', '1', 'g', '2']]),
  sample('HSETNX', (key) => [['HSETNX', key(), 'f', 'v']]),
  sample('HDEL', (key) => [
    ['HSET', key(), 'f', '1', 'g', '2', 'h', '3'],
    ['HDEL', key(), 'f', 'absent', 'g'],
  ]),
  sample(
    'HDEL',
    (key) => [
      ['HSET', key(), 'f', '1'],
      ['HDEL', key(), 'f'],
    ],
    { about: 'the last field' },
  ),
  sample('HINCRBY', (key) => [
    ['HSET', key(), 'f', '10'],
    ['HINCRBY', key(), 'f', '-3'],
  ]),
  sample('HINCRBY', (key) => [['HINCRBY', key(), 'f', '3']], { about: 'absent' }),
  sample('HINCRBYFLOAT', (key) => [
    ['HSET', key(), 'f', '10.5'],
    ['HINCRBYFLOAT', key(), 'f', '0.1'],
  ]),
  sample('HIMPORT SET', (key) => [
    ['HIMPORT', 'PREPARE', 'pair', 'f', 'g'],
    ['HIMPORT', 'SET', key(), 'pair', '1', '2'],
  ]),
];

const THREE_FIELDS = ['f', '1', 'g', '2', 'h', '3'];

const EXPIRING: readonly SampleTemplate[] = [
  sample('HEXPIRE', (key) => [
    ['HSET', key(), ...THREE_FIELDS],
    ['HEXPIRE', key(), '600', 'FIELDS', '2', 'f', 'g'],
  ]),
  sample(
    'HEXPIRE',
    (key) => [
      ['HSET', key(), 'fields', '1', 'nx', '2'],
      ['HEXPIRE', key(), '600', 'NX', 'FIELDS', '2', 'fields', 'nx'],
    ],
    { about: 'NX, fields named as options' },
  ),
  sample(
    'HEXPIRE',
    (key) => [
      ['HSET', key(), ...THREE_FIELDS],
      ['HEXPIRE', key(), '0', 'FIELDS', '1', 'f'],
    ],
    { about: 'a moment that is gone' },
  ),
  sample('HPEXPIRE', (key) => [
    ['HSET', key(), ...THREE_FIELDS],
    ['HPEXPIRE', key(), '600000', 'FIELDS', '1', 'f'],
  ]),
  sample('HEXPIREAT', (key) => [
    ['HSET', key(), ...THREE_FIELDS],
    ['HEXPIREAT', key(), FAR_SECONDS, 'FIELDS', '1', 'f'],
  ]),
  sample('HPEXPIREAT', (key) => [
    ['HSET', key(), ...THREE_FIELDS],
    ['HPEXPIREAT', key(), FAR_MILLISECONDS, 'FIELDS', '2', 'g', 'h'],
  ]),
  sample(
    'HPEXPIREAT',
    (key) => [
      ['HSET', key(), 'f', '1'],
      ['HPEXPIREAT', key(), '1', 'FIELDS', '1', 'f'],
    ],
    { about: 'the last field, a moment that is gone' },
  ),
  sample('HPERSIST', (key) => [
    ['HSET', key(), ...THREE_FIELDS],
    ['HEXPIRE', key(), '600', 'FIELDS', '1', 'f'],
    ['HPERSIST', key(), 'FIELDS', '1', 'f'],
  ]),
  sample('HSETEX', (key) => [['HSETEX', key(), 'EX', '600', 'FIELDS', '2', 'f', '1', 'g', '2']], {
    about: 'EX',
  }),
  sample('HSETEX', (key) => [['HSETEX', key(), 'FNX', 'PXAT', FAR_MILLISECONDS, 'FIELDS', '1', 'f', '1']], {
    about: 'FNX PXAT',
  }),
  sample(
    'HSETEX',
    (key) => [
      ['HSETEX', key(), 'EX', '600', 'FIELDS', '1', 'f', '1'],
      ['HSETEX', key(), 'FXX', 'KEEPTTL', 'FIELDS', '1', 'f', '2'],
    ],
    { about: 'FXX KEEPTTL' },
  ),
  sample('HSETEX', (key) => [['HSETEX', key(), 'NX', 'FIELDS', '1', 'f', '1']], {
    about: 'NX',
    since: 'valkey 9.1',
  }),
  sample('HSETEX', (key) => [['HSETEX', key(), 'FIELDS', '1', 'f', '1']], { about: 'no expiry' }),
  sample(
    'HGETEX',
    (key) => [
      ['HSET', key(), ...THREE_FIELDS],
      ['HGETEX', key(), 'EX', '600', 'FIELDS', '2', 'f', 'absent'],
    ],
    { about: 'EX' },
  ),
  sample(
    'HGETEX',
    (key) => [
      ['HSET', key(), 'f', '1'],
      ['HEXPIRE', key(), '600', 'FIELDS', '1', 'f'],
      ['HGETEX', key(), 'PERSIST', 'FIELDS', '1', 'f'],
    ],
    { about: 'PERSIST' },
  ),
  sample('HGETDEL', (key) => [
    ['HSET', key(), ...THREE_FIELDS],
    ['HGETDEL', key(), 'FIELDS', '2', 'f', 'g'],
  ]),
  sample(
    'HGETDEL',
    (key) => [
      ['HSET', key(), 'f', '1'],
      ['HGETDEL', key(), 'FIELDS', '1', 'f'],
    ],
    { about: 'the last field' },
  ),
];

export const HASH_SAMPLES: readonly SampleTemplate[] = [...WRITING, ...EXPIRING];
