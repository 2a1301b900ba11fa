import { encode } from '@msgpack/msgpack';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBatch, encodeBatch, lastSequence, type Batch } from '../../../src/protocol/batch.js';
import { bytes } from '../redis-commands/chunks.js';

const count = fc.oneof(fc.nat(), fc.maxSafeNat());
const batches: fc.Arbitrary<Batch> = fc.record({
  pair: fc.string({ unit: 'grapheme', maxLength: 40 }),
  origin: fc.string({ maxLength: 40 }),
  epoch: count,
  first: fc.nat(),
  changes: fc.integer({ min: 1, max: 1000 }),
  commands: fc.integer({ min: 1000, max: 2 ** 40 }),
  timestamp: count,
  seenEpoch: count,
  seen: count,
  special: count,
  groups: fc.array(count, { maxLength: 20 }),
  ends: bytes,
  payload: bytes,
});

const FIELDS: readonly unknown[] = [1, 'pair', 'east', 1, 1, 1, 2, 5, 1, 0, 0, [], Buffer.from('x')];

function codeOf(element: Uint8Array): unknown {
  try {
    decodeBatch(Buffer.from(element));
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

describe('a batch', () => {
  test('comes out of its bytes as it went in', () => {
    fc.assert(
      fc.property(batches, (batch) => {
        expect(decodeBatch(encodeBatch(batch))).toEqual(batch);
      }),
    );
  });

  test('ends with its bytes: what lies around them in memory does not matter', () => {
    fc.assert(
      fc.property(batches, (batch) => {
        const whole = Buffer.concat([Buffer.from('before'), encodeBatch(batch), Buffer.from('behind')]);
        expect(decodeBatch(whole.subarray(6, whole.length - 6))).toEqual(batch);
      }),
    );
  });

  test('ends with the sequence of its last change', () => {
    expect(lastSequence({ first: 5, changes: 1 })).toBe(5);
    expect(lastSequence({ first: 5, changes: 3 })).toBe(7);
  });

  test('keeps its payload a view on the bytes', () => {
    const element = encodeBatch({
      ...decodeBatch(Buffer.from(encode(FIELDS))),
      payload: Buffer.alloc(100_000),
    });
    expect(decodeBatch(element).payload.buffer).toBe(element.buffer);
  });
});

describe('what is no batch is refused:', () => {
  test('any bytes, with an error that says so and no other', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (element) => {
        expect(codeOf(element)).toBeOneOf(['BATCH_INVALID', 'BATCH_VERSION']);
      }),
      { numRuns: 2000 },
    );
  });

  test('a batch cut short at any place', () => {
    const element = Buffer.from(encode(FIELDS));
    for (let length = 0; length < element.length; length++)
      expect(codeOf(element.subarray(0, length))).toBe('BATCH_INVALID');
  });

  test('a batch with bytes behind it', () => {
    expect(codeOf(Buffer.concat([encode(FIELDS), Buffer.from('x')]))).toBe('BATCH_INVALID');
  });

  test('a header that announces more than there is, without memory being taken for it', () => {
    const deep = Buffer.concat(
      Array.from({ length: 13_000 }, () => Buffer.from([0xdd, 0, 0x0f, 0x42, 0x40])),
    );
    expect(codeOf(deep)).toBe('BATCH_INVALID');
    const lie = Buffer.from(encode(FIELDS));
    lie[lie.length - 2] = 0xff;
    expect(codeOf(lie)).toBe('BATCH_INVALID');
  });

  test.each([0, 2, '1', null])('format version %j', (version) => {
    expect(codeOf(encode([version, ...FIELDS.slice(1)]))).toBe('BATCH_VERSION');
  });

  test.each([
    [1, 7],
    [2, null],
    [3, -1],
    [4, 1.5],
    [5, '1'],
    [7, null],
    [11, 'groups'],
    [11, [1, -2]],
    [12, 'text'],
    [12, null],
    [5, 0],
    [5, 3],
    [4, 2 ** 53],
  ])('element %i being %j', (index, value) => {
    expect(codeOf(encode(FIELDS.with(index, value)))).toBe('BATCH_INVALID');
  });
});
