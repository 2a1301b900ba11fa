import { ODD_BYTES, sample, type Command, type SampleTemplate } from './template.js';

const SEVEN = 'redis 7.0, valkey 7.2';

/** A stream of three entries. */
function three(key: string): Command[] {
  return ['1-1', '2-1', '3-1'].map((id) => ['XADD', key, id, 'f', id]);
}

/** A stream that takes up several nodes of 100 entries, so that a trim by `~` takes something away. */
function many(key: string, count: number): Command[] {
  return Array.from({ length: count }, (_, index) => ['XADD', key, `${index + 1}-1`, 'f', 'v']);
}

/** A stream of three entries with a group. */
function grouped(key: string): Command[] {
  return [...three(key), ['XGROUP', 'CREATE', key, 'g', '0']];
}

/** And all three delivered to a consumer. */
function delivered(key: string): Command[] {
  return [...grouped(key), ['XREADGROUP', 'GROUP', 'g', 'alice', 'STREAMS', key, '>']];
}

const ENTRIES: readonly SampleTemplate[] = [
  sample('XADD', (key) => [['XADD', key(), '*', 'f', 'v', 'g', ODD_BYTES]]),
  sample('XADD', (key) => [['XADD', key(), '7-1', 'f', 'v']], { about: 'an ID' }),
  sample('XADD', (key) => [['XADD', key(), '7-*', 'f', 'v']], { about: 'half an ID', since: SEVEN }),
  sample('XADD', (key) => [...three(key()), ['XADD', key(), 'NOMKSTREAM', '4-1', 'f', 'v']], {
    about: 'NOMKSTREAM',
  }),
  sample('XADD', (key) => [...three(key()), ['XADD', key(), 'MAXLEN', '2', '*', 'f', 'v']], {
    about: 'MAXLEN',
  }),
  sample(
    'XADD',
    (key) => [
      ...three(key()),
      ['XADD', key(), 'NOMKSTREAM', 'MAXLEN', '~', '2', 'LIMIT', '100', '*', 'f', 'v'],
    ],
    { about: 'MAXLEN ~ LIMIT' },
  ),
  sample('XADD', (key) => [...three(key()), ['XADD', key(), 'MINID', '=', '3-1', '4-1', 'f', 'v']], {
    about: 'MINID',
  }),
  sample('XADD', (key) => [...three(key()), ['XADD', key(), 'DELREF', 'MAXLEN', '=', '2', '4-1', 'f', 'v']], {
    about: 'DELREF',
    since: 'redis 8.2',
  }),
  sample('XADD', (key) => [['XADD', key(), 'IDMP', 'producer', 'message', '*', 'f', 'v']], {
    about: 'IDMP',
    since: 'redis 8.6',
  }),
  sample('XDEL', (key) => [...three(key()), ['XDEL', key(), '1-1', '9-9', '3-1']]),
  sample('XTRIM', (key) => [...three(key()), ['XTRIM', key(), 'MAXLEN', '1']], { about: 'MAXLEN' }),
  sample('XTRIM', (key) => [...three(key()), ['XTRIM', key(), 'MINID', '=', '3']], { about: 'MINID' }),
  sample('XTRIM', (key) => [...many(key(), 300), ['XTRIM', key(), 'MAXLEN', '~', '100', 'LIMIT', '150']], {
    about: 'MAXLEN ~ LIMIT',
  }),
  sample('XSETID', (key) => [...three(key()), ['XSETID', key(), '9-9']]),
  sample(
    'XSETID',
    (key) => [...three(key()), ['XSETID', key(), '9-9', 'ENTRIESADDED', '12', 'MAXDELETEDID', '2-5']],
    { about: 'ENTRIESADDED', since: SEVEN },
  ),
  sample('XDELEX', (key) => [...delivered(key()), ['XDELEX', key(), 'DELREF', 'IDS', '2', '1-1', '2-1']]),
  sample('XCFGSET', (key) => [
    ...three(key()),
    ['XCFGSET', key(), 'IDMP-DURATION', '60', 'IDMP-MAXSIZE', '50'],
  ]),
  sample('XIDMPRECORD', (key) => [...three(key()), ['XIDMPRECORD', key(), 'producer', 'message', '1-1']]),
];

const GROUPS: readonly SampleTemplate[] = [
  sample('XGROUP CREATE', (key) => [...three(key()), ['XGROUP', 'CREATE', key(), 'g', '$']]),
  sample('XGROUP CREATE', (key) => [['xgroup', 'create', key(), 'g', '0', 'mkstream']], {
    about: 'MKSTREAM in lower case',
  }),
  sample(
    'XGROUP CREATE',
    (key) => [...three(key()), ['XGROUP', 'CREATE', key(), 'g', '2-1', 'ENTRIESREAD', '2']],
    { about: 'ENTRIESREAD', since: SEVEN },
  ),
  sample('XGROUP SETID', (key) => [...grouped(key()), ['XGROUP', 'SETID', key(), 'g', '2-1']]),
  sample('XGROUP DESTROY', (key) => [...delivered(key()), ['XGROUP', 'DESTROY', key(), 'g']]),
  sample('XGROUP CREATECONSUMER', (key) => [
    ...grouped(key()),
    ['XGROUP', 'CREATECONSUMER', key(), 'g', 'bob'],
  ]),
  sample('XGROUP DELCONSUMER', (key) => [
    ...delivered(key()),
    ['XGROUP', 'DELCONSUMER', key(), 'g', 'alice'],
  ]),
  sample('XREADGROUP', (key) => [
    ...grouped(key()),
    ['XREADGROUP', 'GROUP', 'g', 'alice', 'COUNT', '2', 'STREAMS', key(), '>'],
  ]),
  sample(
    'XREADGROUP',
    (key) => [
      ...grouped(key()),
      ...grouped(key('b')),
      [
        'XREADGROUP',
        'GROUP',
        'g',
        'streams',
        'COUNT',
        '2',
        'BLOCK',
        '0',
        'NOACK',
        'STREAMS',
        key(),
        key('b'),
        '>',
        '>',
      ],
    ],
    { about: 'NOACK, two streams' },
  ),
  sample('XACK', (key) => [...delivered(key()), ['XACK', key(), 'g', '1-1', '9-9']]),
  sample('XCLAIM', (key) => [...delivered(key()), ['XCLAIM', key(), 'g', 'bob', '0', '1-1', '2-1']]),
  sample(
    'XCLAIM',
    (key) => [
      ...grouped(key()),
      [
        'XCLAIM',
        key(),
        'g',
        'bob',
        '0',
        '1-1',
        'IDLE',
        '500',
        'RETRYCOUNT',
        '3',
        'FORCE',
        'JUSTID',
        'LASTID',
        '3-1',
      ],
    ],
    { about: 'FORCE' },
  ),
  sample('XAUTOCLAIM', (key) => [
    ...delivered(key()),
    ['XAUTOCLAIM', key(), 'g', 'bob', '0', '0', 'COUNT', '2'],
  ]),
  sample(
    'XAUTOCLAIM',
    (key) => [
      ...delivered(key()),
      ['XDEL', key(), '1-1'],
      ['XAUTOCLAIM', key(), 'g', 'bob', '0', '0', 'JUSTID'],
    ],
    { about: 'meets a deleted entry', since: SEVEN },
  ),
  sample('XACKDEL', (key) => [...delivered(key()), ['XACKDEL', key(), 'g', 'IDS', '2', '1-1', '2-1']]),
  sample('XNACK', (key) => [...delivered(key()), ['XNACK', key(), 'g', 'FAIL', 'IDS', '1', '1-1']]),
];

export const ARRAY_SAMPLES: readonly SampleTemplate[] = [
  sample('ARSET', (key) => [['ARSET', key(), '3', 'a', 'b']]),
  sample('ARMSET', (key) => [['ARMSET', key(), '0', 'a', '100', 'b']]),
  sample('ARINSERT', (key) => [['ARINSERT', key(), 'a', 'b']]),
  sample('ARRING', (key) => [['ARRING', key(), '2', 'a', 'b', 'c']]),
  sample('ARSEEK', (key) => [
    ['ARINSERT', key(), 'a'],
    ['ARSEEK', key(), '10'],
  ]),
  sample('ARDEL', (key) => [
    ['ARSET', key(), '0', 'a', 'b', 'c'],
    ['ARDEL', key(), '0', '2'],
  ]),
  sample('ARDELRANGE', (key) => [
    ['ARSET', key(), '0', 'a', 'b', 'c'],
    ['ARDELRANGE', key(), '0', '1'],
  ]),
];

export const STREAM_SAMPLES: readonly SampleTemplate[] = [...ENTRIES, ...GROUPS];
