import { expect, test } from 'vitest';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { KEYS } from '../../redis/internal-keys.js';
import { captured, changesOf } from './captured.js';

const line = (text: string): Buffer => encodeCommand(text.split(' '));

/** The words of a command as the changes show it: the database, and RESP. */
const words = (command: string): string =>
  command
    .replaceAll(/^\d+ \*\d+\r\n|\$\d+\r\n/g, '')
    .trim()
    .replaceAll('\r\n', ' ');

/** What capture makes of a stream in which the members of `q` have been told. */
function sent(
  lines: readonly string[],
  members: readonly string[] = ['1', 'a', '2', 'b'],
): { sent: readonly string[]; heard: readonly string[] } {
  const pairs = members.flatMap((_, at) => (at % 2 === 0 ? [members[at + 1]!, members[at]!] : []));
  const told = encodeCommand([
    'SET',
    KEYS.out,
    encodeCommand(['TANDEM.MEMBERS', 0, 'q', 'lowest', 1, ...pairs]),
  ]);
  const { batches, heard } = captured([line('SELECT 0'), told, ...lines.map(line)]);
  return {
    sent: changesOf(batches).map(({ commands }) => commands.map(words).join('; ')),
    heard,
  };
}

test('a pop is sent as the removal of what it took', () => {
  const { sent: found, heard } = sent(['ZPOPMIN q', 'ZADD q 0 c', 'ZPOPMIN q 2', 'ZADD q 7 d', 'zpopmax q']);
  expect(found).toEqual(['ZREM q a', 'ZADD q 0 c', 'ZREM q c b', 'ZADD q 7 d', 'ZREM q d']);
  expect(heard).toEqual([]);
});

test('so it is in a transaction', () => {
  expect(sent(['MULTI', 'ZPOPMIN q', 'ZADD r 1 a', 'EXEC']).sent).toEqual(['ZREM q a; ZADD r 1 a']);
});

test.each([
  ['RESTORE q 0 x REPLACE'],
  ['RENAME r q'],
  ['COPY r q REPLACE'],
  ['ZUNIONSTORE q 1 r'],
  ['ZREMRANGEBYRANK q 0 0'],
  ['FLUSHALL'],
  ['SWAPDB 0 1'],
  ['MODULE.WRITE q'],
])(
  'behind %s nobody knows what a pop takes: it is sent as it is, and the members are to be told',
  (other) => {
    const { sent: found, heard } = sent([other, 'ZPOPMIN q']);
    expect(found.at(-1)).toBe('ZPOPMIN q');
    expect(heard).toContain('popped q lowest');
  },
);

test('a set that is deleted begins anew', () => {
  expect(sent(['DEL q', 'ZADD q 5 x', 'ZPOPMIN q']).sent.at(-1)).toBe('ZREM q x');
});

test('the members of another set, or of one in another database, are not those', () => {
  expect(sent(['SELECT 1', 'ZPOPMIN q']).sent).toEqual(['ZPOPMIN q']);
  expect(sent(['ZPOPMIN r']).sent).toEqual(['ZPOPMIN r']);
});

test('members are asked for once until they are told', () => {
  expect(sent(['ZPOPMIN r', 'ZPOPMIN r', 'ZPOPMIN r']).heard).toEqual(['popped r lowest']);
});
