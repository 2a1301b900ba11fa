import { describe, expect, test } from 'vitest';
import { commandSpec, effectOf } from '../../../src/redis-commands/command-table.js';
import { fieldWrites } from '../../../src/redis-commands/field-commands.js';
import { deadlineOf } from '../../../src/redis-commands/late-expiry.js';
import { fieldOptions } from '../../../src/redis-commands/options/field-options.js';
import { isAbsoluteRestore } from '../../../src/redis-commands/options/key-options.js';
import { behindMemberOptions } from '../../../src/redis-commands/options/member-options.js';
import { streamOptions } from '../../../src/redis-commands/options/stream-options.js';
import { setOptions } from '../../../src/redis-commands/options/value-options.js';
import { rewritten } from '../../../src/capture/rewrite.js';

const args = (line: string): Buffer[] => line.split(' ').map((word) => Buffer.from(word));
const texts = (words: readonly Buffer[] | undefined): string | undefined => words?.map(String).join(' ');
const names = (options: readonly { name: string }[]): string[] => options.map(({ name }) => name);

/** The expiry that a `SET` gives, as a batch is asked for it. */
function deadline(line: string): number | 'kept' | undefined {
  const words = args(line);
  return deadlineOf('SET', (index) => words[index]!, words.length);
}

describe('what an option is compared with is no option', () => {
  test('of a SET', () => {
    expect(names(setOptions(args('SET k v ifeq PXAT get px 10')))).toEqual(['IFEQ', 'GET', 'PX']);
    expect(deadline('SET k v IFEQ PXAT PXAT 99')).toBe(99);
    expect(deadline('SET k v IFEQ PXAT')).toBeUndefined();
    expect(deadline('SET k v IFEQ KEEPTTL')).toBeUndefined();
    expect(deadline('SET k v GET KEEPTTL')).toBe('kept');
  });

  test('of a RESTORE', () => {
    expect(isAbsoluteRestore(args('RESTORE k 5 ABSTTL REPLACE'))).toBe(false);
    expect(isAbsoluteRestore(args('RESTORE k 5 dump FREQ 1 absttl'))).toBe(true);
  });

  test('of a SORT and a GEORADIUS', () => {
    const effect = (line: string): string => effectOf(commandSpec(line.split(' ')[0]!)!, args(line));
    expect(effect('SORT k BY store')).toBe('none');
    expect(effect('SORT k BY p STORE d')).toBe('derive');
    expect(effect('GEORADIUSBYMEMBER k store 1 km')).toBe('none');
    expect(effect('GEORADIUS k 1 1 1 km STOREDIST d')).toBe('derive');
  });

  test('nor is a field, or its value', () => {
    const words = args('HSETEX k PXAT 7 FIELDS 2 FIELDS PX KEEPTTL NX');
    expect(names(fieldOptions(words))).toEqual(['PXAT', 'FIELDS']);
    expect(fieldWrites('HSETEX', words)?.map(({ given }) => given)).toEqual([7, 7]);
  });
});

test('options of a hash stand in front of its fields, or behind them', () => {
  expect(fieldWrites('HSETEX', args('HSETEX k FIELDS 1 f v PXAT 7'))).toEqual([
    { field: Buffer.from('f'), value: Buffer.from('v'), given: 7 },
  ]);
  expect(texts(rewritten('HPEXPIREAT', args('HPEXPIREAT k 7 FIELDS 1 f GT'), 0))).toBe(
    'HPEXPIREAT k 7 FIELDS 1 f',
  );
});

test('a ZADD that begins with a score has no options', () => {
  expect(behindMemberOptions(args('ZADD k 1 NX'))).toBe(2);
  expect(behindMemberOptions(args('ZADD k ch gt 1 m'))).toBe(4);
});

test('the last trim of an XADD counts', () => {
  const { trim, all, end } = streamOptions(args('XADD k MAXLEN 5 NOMKSTREAM MAXLEN ~ 6 LIMIT 9 1-1 LIMIT v'));
  expect(trim).toEqual({ strategy: 'MAXLEN', at: 5, limitAt: 7, isExact: false });
  expect(names(all)).toEqual(['MAXLEN', 'NOMKSTREAM', 'MAXLEN', 'LIMIT']);
  expect(end).toBe(10);
});
