import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';

test('a command is an array of bulk strings: text as UTF-8, numbers in decimal, bytes as they are', () => {
  expect(encodeCommand(['SET', 'ü', 12, Buffer.from([0, 255])]).toString('latin1')).toBe(
    '*4\r\n$3\r\nSET\r\n$2\r\nÃ¼\r\n$2\r\n12\r\n$2\r\n\0ÿ\r\n',
  );
});

test('lengths count bytes, not letters', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 }), (args) => {
      const lengths = args.map((text) => Buffer.byteLength(text));
      const total = lengths.reduce(
        (sum, n) => sum + n + `$${n}\r\n\r\n`.length,
        `*${args.length}\r\n`.length,
      );
      expect(encodeCommand(args)).toHaveLength(total);
    }),
  );
});
