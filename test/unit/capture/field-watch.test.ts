import { expect, test } from 'vitest';
import { FieldWatch } from '../../../src/capture/field-watch.js';
import { FieldDeadlines } from '../../../src/local-writes/field-deadlines.js';
import { commandSpec } from '../../../src/redis-commands/command-table.js';

const AT = Date.now() + 60_000;

function watching(...commands: string[]): FieldWatch {
  const watch = new FieldWatch(new FieldDeadlines());
  for (const command of commands) watch.observe(commandSpec(command.split(' ')[0]!)!, words(command), 0);
  return watch;
}

const words = (command: string): Buffer[] => command.split(' ').map((word) => Buffer.from(word));

test.each([
  [`HSETEX k PXAT ${AT} FIELDS 1 f 1`, 'HSETEX k KEEPTTL FIELDS 1 f 2', `HSETEX k PXAT ${AT} FIELDS 1 f 2`],
  [`HPEXPIREAT k ${AT} FIELDS 1 f|HPERSIST k FIELDS 1 f`, 'HSETEX k KEEPTTL FIELDS 1 f 2', 'HSET k f 2'],
  ['HSET k f 1', 'HSETEX k KEEPTTL FIELDS 1 f 2', undefined],
  ['HSET k f 1', 'HSETEX k FIELDS 1 f 2', 'HSET k f 2'],
  [
    `HPEXPIREAT k ${AT} FIELDS 2 f g`,
    'HSETEX k KEEPTTL FIELDS 2 f 2 g 3',
    `HSETEX k PXAT ${AT} FIELDS 2 f 2 g 3`,
  ],
  [`HPEXPIREAT k ${AT} FIELDS 1 f`, 'HSETEX k KEEPTTL FIELDS 2 f 2 g 3', undefined],
  ['HSET k f 1', `HSETEX k PXAT ${AT} FIELDS 1 f 2`, undefined],
])('behind %s, %s is said as what its fields have then', (before, command, expected) => {
  const watch = watching(...before.split('|'));
  expect(watch.inFull('HSETEX', words(command), 0)?.join(' ')).toBe(expected);
});

test('an HDEL is the end of fields whose deadlines have all passed', () => {
  const past = Date.now() - 10;
  const watch = watching(`HPEXPIREAT k ${past} FIELDS 2 f g`, `HPEXPIREAT k ${AT} FIELDS 1 h`);
  expect(watch.ended('HDEL', words('HDEL k f g'), 0)).toBe(past);
  expect(watch.ended('HDEL', words('HDEL k f h'), 0)).toBeUndefined();
  expect(watch.ended('HDEL', words('HDEL other f'), 0)).toBeUndefined();
});
