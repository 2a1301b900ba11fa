import { ODD_BYTES, many, sample, type SampleTemplate } from './template.js';

/** The vector (1, 0) as two 32-bit floats. */
const VECTOR = Buffer.from('0000803f00000000', 'hex');

const SETS: readonly SampleTemplate[] = [
  sample('SADD', (key) => [['SADD', key(), 'a']]),
  sample(
    'SADD',
    (key) => [
      ['SADD', key(), 'a', '1'],
      ['SADD', key(), 'a', '2', ODD_BYTES, ''],
    ],
    { about: 'old and new, binary, empty' },
  ),
  sample('SADD', (key) => [['SADD', key(), '1', '2', '3']], { about: 'whole numbers' }),
  sample('SADD', (key) => [['SADD', key(), ...many(20_000)]], { about: '20,000 members' }),
  sample('SREM', (key) => [
    ['SADD', key(), 'a', 'b', 'c'],
    ['SREM', key(), 'a', 'absent', 'b'],
  ]),
  sample(
    'SREM',
    (key) => [
      ['SADD', key(), 'a'],
      ['SREM', key(), 'a'],
    ],
    { about: 'the last member' },
  ),
  sample('SPOP', (key) => [
    ['SADD', key(), 'a', 'b'],
    ['SPOP', key()],
  ]),
  sample(
    'SPOP',
    (key) => [
      ['SADD', key(), ...many(300)],
      ['SPOP', key(), '200'],
    ],
    { about: 'many' },
  ),
  sample(
    'SPOP',
    (key) => [
      ['SADD', key(), 'a', 'b'],
      ['SPOP', key(), '5'],
    ],
    { about: 'all' },
  ),
  sample('SMOVE', (key) => [
    ['SADD', key(), 'a', 'b'],
    ['SMOVE', key(), key('b'), 'a'],
  ]),
  ...['SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE'].map((name) =>
    sample(name, (key) => [
      ['SADD', key('a'), '1', '2'],
      ['SADD', key('b'), '2', '3'],
      [name, key(), key('a'), key('b')],
    ]),
  ),
  sample(
    'SINTERSTORE',
    (key) => [
      ['SADD', key(), '1'],
      ['SADD', key('a'), '1'],
      ['SINTERSTORE', key(), key('a'), key('absent')],
    ],
    { about: 'to nothing' },
  ),
];

const VECTOR_SETS: readonly SampleTemplate[] = [
  sample('VADD', (key) => [['VADD', key(), 'VALUES', '2', '1', '0.5', 'element']], { about: 'VALUES' }),
  sample(
    'VADD',
    (key) => [
      ['VADD', key(), 'FP32', VECTOR, 'element', 'NOQUANT', 'EF', '50', 'SETATTR', '{"a":1}', 'M', '8'],
    ],
    { about: 'FP32 and options' },
  ),
  sample(
    'VADD',
    (key) => [['VADD', key(), 'REDUCE', '2', 'VALUES', '3', '1', '0', '1', 'element', 'CAS', 'Q8']],
    { about: 'REDUCE CAS' },
  ),
  sample('VREM', (key) => [
    ['VADD', key(), 'VALUES', '2', '1', '0', 'a'],
    ['VADD', key(), 'VALUES', '2', '0', '1', 'b'],
    ['VREM', key(), 'a'],
  ]),
  sample('VSETATTR', (key) => [
    ['VADD', key(), 'VALUES', '2', '1', '0', 'a'],
    ['VSETATTR', key(), 'a', '{"year":1984}'],
  ]),
];

export const SET_SAMPLES: readonly SampleTemplate[] = [...SETS, ...VECTOR_SETS];
