import { describe, expect, it } from 'vitest';
import { bytes, duration, escaped, grouped, shown } from '../../../src/cli/terminal.js';

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [67_108_864, '64.0 MiB'],
    [2 ** 50, '1024.0 TiB'],
  ])('%d bytes are %s', (count, text) => expect(bytes(count)).toBe(text));

  it.each([
    [0.4, '0 ms'],
    [999, '999 ms'],
    [1000, '1.0 s'],
    [61_000, '1 min 1 s'],
    [3_723_000, '1 h 2 min'],
    [90_000_000, '1 d 1 h'],
  ])('%d ms are %s', (ms, text) => expect(duration(ms)).toBe(text));

  it('have their thousands set apart', () => expect(grouped(1_234_567.4)).toBe('1,234,567'));
});

it.each([
  ['user:1', 'user:1'],
  ['', '""'],
  ['two words', '"two words"'],
  ['a"b\\c', '"a\\"b\\\\c"'],
  ['\n\r\t\u0007\b\0\u001b[2J\u00ff', '"\\n\\r\\t\\a\\b\\x00\\x1b[2J\\xff"'],
])('text of any bytes is shown as redis-cli shows it: %j', (text, expected) =>
  expect(shown(Buffer.from(text, 'latin1'))).toBe(expected),
);
describe('bytes for people', () => {
  it.each([
    ['user:1', 'user:1'],
    ['say "hi" \\', '\\"hi\\"'],
    ['a\u0007\b\t\n\r\u0000\u001b[2J', '\\a\\b\\t\\n\\r\\x00\\x1b[2J'],
    ['é', '\\xc3\\xa9'],
  ])('%j is shown as redis-cli shows it', (text, expected) => {
    expect(escaped(Buffer.from(text))).toContain(expected);
  });

  it('never hold a byte that a terminal could take for a command', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    expect(escaped(all)).toMatch(/^[ -~]+$/);
  });
});
