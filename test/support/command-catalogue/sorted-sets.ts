import { ODD_BYTES, many, sample, type SampleTemplate } from './template.js';

const THREE = ['1', 'a', '2', 'b', '3', 'c'];

const ADDING: readonly SampleTemplate[] = [
  sample('ZADD', (key) => [['ZADD', key(), '1', 'a']]),
  sample(
    'ZADD',
    (key) => [
      ['ZADD', key(), ...THREE],
      ['ZADD', key(), '-inf', 'a', '2.5e3', ODD_BYTES, 'inf', 'd'],
    ],
    { about: 'old and new, infinite' },
  ),
  sample(
    'ZADD',
    (key) => [['ZADD', key(), ...many(20_000).flatMap((name, index) => [String(index), name])]],
    { about: '20,000 members' },
  ),
  sample(
    'ZADD',
    (key) => [
      ['ZADD', key(), ...THREE],
      ['ZADD', key(), 'CH', '5', 'a', '6', 'd'],
    ],
    { about: 'CH' },
  ),
  sample(
    'ZADD',
    (key) => [
      ['ZADD', key(), ...THREE],
      ['ZADD', key(), 'NX', '5', 'a', '6', 'd'],
    ],
    { about: 'NX' },
  ),
  sample(
    'ZADD',
    (key) => [
      ['ZADD', key(), ...THREE],
      ['ZADD', key(), 'XX', '5', 'a', '6', 'd'],
    ],
    { about: 'XX' },
  ),
  sample(
    'ZADD',
    (key) => [
      ['ZADD', key(), ...THREE],
      ['ZADD', key(), 'XX', 'GT', 'CH', '5', 'a', '0', 'b'],
    ],
    { about: 'XX GT CH' },
  ),
  sample(
    'ZADD',
    (key) => [
      ['ZADD', key(), ...THREE],
      ['ZADD', key(), 'lt', '0', 'a', '9', 'b', '1', 'd'],
    ],
    { about: 'LT in lower case' },
  ),
  sample(
    'ZADD',
    (key) => [
      ['ZADD', key(), ...THREE],
      ['ZADD', key(), 'INCR', '0.5', 'a'],
    ],
    { about: 'INCR' },
  ),
  sample('ZINCRBY', (key) => [
    ['ZADD', key(), ...THREE],
    ['ZINCRBY', key(), '-2.5', 'a'],
  ]),
  sample('ZINCRBY', (key) => [['ZINCRBY', key(), '2', 'a']], { about: 'absent' }),
];

const REMOVING: readonly SampleTemplate[] = [
  sample('ZREM', (key) => [
    ['ZADD', key(), ...THREE],
    ['ZREM', key(), 'a', 'absent', 'b'],
  ]),
  sample(
    'ZREM',
    (key) => [
      ['ZADD', key(), '1', 'a'],
      ['ZREM', key(), 'a'],
    ],
    { about: 'the last member' },
  ),
  sample('ZREMRANGEBYSCORE', (key) => [
    ['ZADD', key(), ...THREE],
    ['ZREMRANGEBYSCORE', key(), '(1', '+inf'],
  ]),
  sample('ZREMRANGEBYRANK', (key) => [
    ['ZADD', key(), ...THREE],
    ['ZREMRANGEBYRANK', key(), '0', '-2'],
  ]),
  sample('ZREMRANGEBYLEX', (key) => [
    ['ZADD', key(), '0', 'a', '0', 'b', '0', 'c'],
    ['ZREMRANGEBYLEX', key(), '[a', '(c'],
  ]),
  sample('ZPOPMIN', (key) => [
    ['ZADD', key(), ...THREE],
    ['ZPOPMIN', key()],
  ]),
  sample(
    'ZPOPMIN',
    (key) => [
      ['ZADD', key(), ...THREE],
      ['ZPOPMIN', key(), '5'],
    ],
    { about: 'all' },
  ),
  sample('ZPOPMAX', (key) => [
    ['ZADD', key(), ...THREE],
    ['ZPOPMAX', key(), '2'],
  ]),
  sample('BZPOPMIN', (key) => [
    ['ZADD', key(), ...THREE],
    ['BZPOPMIN', key('absent'), key(), '0'],
  ]),
  sample('BZPOPMAX', (key) => [
    ['ZADD', key(), ...THREE],
    ['BZPOPMAX', key(), '1'],
  ]),
  sample('ZMPOP', (key) => [
    ['ZADD', key(), ...THREE],
    ['ZMPOP', '2', key('absent'), key(), 'MIN', 'COUNT', '2'],
  ]),
  sample('BZMPOP', (key) => [
    ['ZADD', key(), ...THREE],
    ['BZMPOP', '0', '2', key('absent'), key(), 'MAX'],
  ]),
];

const DERIVING: readonly SampleTemplate[] = [
  sample('ZUNIONSTORE', (key) => [
    ['ZADD', key('a'), ...THREE],
    ['SADD', key('b'), 'a'],
    ['ZUNIONSTORE', key(), '2', key('a'), key('b'), 'WEIGHTS', '2', '3', 'AGGREGATE', 'MAX'],
  ]),
  sample('ZINTERSTORE', (key) => [
    ['ZADD', key('a'), ...THREE],
    ['ZADD', key('b'), '7', 'b'],
    ['ZINTERSTORE', key(), '2', key('a'), key('b')],
  ]),
  sample('ZDIFFSTORE', (key) => [
    ['ZADD', key('a'), ...THREE],
    ['ZADD', key('b'), '7', 'b'],
    ['ZDIFFSTORE', key(), '2', key('a'), key('b')],
  ]),
  sample('ZRANGESTORE', (key) => [
    ['ZADD', key('a'), ...THREE],
    ['ZRANGESTORE', key(), key('a'), '0', '1'],
  ]),
  sample(
    'ZRANGESTORE',
    (key) => [
      ['ZADD', key('a'), ...THREE],
      ['ZRANGESTORE', key(), key('a'), '3', '(1', 'BYSCORE', 'REV', 'LIMIT', '0', '1'],
    ],
    { about: 'BYSCORE REV LIMIT' },
  ),
];

const PLACES = ['13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania'];
const CENTRE = ['15', '37', '200', 'km'];

const GEOGRAPHIC: readonly SampleTemplate[] = [
  sample('GEOADD', (key) => [['GEOADD', key(), ...PLACES]]),
  sample(
    'GEOADD',
    (key) => [
      ['GEOADD', key(), ...PLACES],
      ['GEOADD', key(), 'CH', '13.4', '38.1', 'Palermo'],
    ],
    { about: 'CH' },
  ),
  sample('GEOADD', (key) => [['GEOADD', key(), 'NX', ...PLACES]], { about: 'NX' }),
  sample('GEOSEARCHSTORE', (key) => [
    ['GEOADD', key('a'), ...PLACES],
    ['GEOSEARCHSTORE', key(), key('a'), 'FROMLONLAT', '15', '37', 'BYRADIUS', '200', 'km', 'ASC'],
  ]),
  sample(
    'GEOSEARCHSTORE',
    (key) => [
      ['GEOADD', key('a'), ...PLACES],
      ['GEOSEARCHSTORE', key(), key('a'), 'FROMMEMBER', 'Palermo', 'BYBOX', '400', '400', 'km', 'STOREDIST'],
    ],
    { about: 'STOREDIST' },
  ),
  sample(
    'GEORADIUS',
    (key) => [
      ['GEOADD', key('a'), ...PLACES],
      ['GEORADIUS', key('a'), ...CENTRE, 'STORE', key()],
    ],
    { about: 'STORE' },
  ),
  sample(
    'GEORADIUS',
    (key) => [
      ['GEOADD', key('a'), ...PLACES],
      ['GEORADIUS', key('a'), ...CENTRE, 'COUNT', '1', 'ASC', 'storedist', key()],
    ],
    { about: 'STOREDIST' },
  ),
  sample(
    'GEORADIUSBYMEMBER',
    (key) => [
      ['GEOADD', key('a'), ...PLACES],
      ['GEORADIUSBYMEMBER', key('a'), 'Palermo', '300', 'km', 'STORE', key()],
    ],
    { about: 'STORE' },
  ),
];

export const SORTED_SET_SAMPLES: readonly SampleTemplate[] = [
  ...ADDING,
  ...REMOVING,
  ...DERIVING,
  ...GEOGRAPHIC,
];
