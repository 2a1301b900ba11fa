import { encode } from '@msgpack/msgpack';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeBatch,
  decodeSealed,
  encodeBatch,
  encodeSealed,
  isPacked,
  lastSequence,
  plainLength,
  type Batch,
} from '../../../src/protocol/batch.js';
import { pack, type Algorithm } from '../../../src/protocol/packing.js';
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

/** The batch as a list element, with its payload packed. */
function packed({ payload, ...header }: Batch, algorithm: Algorithm = 'brotli'): Buffer {
  const packing = { algorithm, bytes: payload.length };
  return encodeSealed({ ...header, packing, body: pack(algorithm, payload) });
}

const PACKED = [2, ...FIELDS.slice(1, 12), Buffer.alloc(0), [2, 4], pack('brotli', Buffer.from('abcd'))];

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

  test('comes out of its bytes as it went in when its payload is packed, too', () => {
    const full = batches.filter(({ payload }) => payload.length > 0);
    fc.assert(
      fc.property(full, fc.constantFrom('deflate-raw', 'brotli'), (batch, algorithm) => {
        const element = packed(batch, algorithm);
        expect(decodeBatch(element)).toEqual(batch);
        expect(isPacked(element)).toBe(true);
        const { packing, body } = decodeSealed(element);
        expect(packing).toEqual({ algorithm, bytes: batch.payload.length });
        expect(plainLength(element)).toBe(element.length - body.length + batch.payload.length);
      }),
    );
  });

  test('says without being unpacked where it belongs, though what is packed is broken', () => {
    const element = Buffer.from(encode(PACKED.with(14, Buffer.from('xxxx'))));
    expect(decodeSealed(element)).toMatchObject({ pair: 'pair', first: 1, changes: 1 });
    expect(codeOf(element)).toBe('BATCH_INVALID');
  });

  test('that is not packed is read by every version', () => {
    const element = encodeBatch(decodeBatch(Buffer.from(encode(PACKED))));
    expect([element[1], isPacked(element), plainLength(element)]).toEqual([1, false, element.length]);
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

  test('a packed batch cut short at any place', () => {
    const element = Buffer.from(encode(PACKED));
    expect(codeOf(element)).toBeUndefined();
    for (let length = 0; length < element.length; length++)
      expect(codeOf(element.subarray(0, length))).toBe('BATCH_INVALID');
  });

  test.each([
    [[2], 'BATCH_INVALID'],
    [[2, 4, 0], 'BATCH_INVALID'],
    [[2, 5], 'BATCH_INVALID'],
    [[2, 3], 'BATCH_INVALID'],
    [[2, 2 ** 40], 'BATCH_INVALID'],
    ['brotli', 'BATCH_INVALID'],
    [[0, 4], 'BATCH_VERSION'],
    [[9, 4], 'BATCH_VERSION'],
  ])('a batch that is packed by %j', (packing, code) => {
    expect(codeOf(encode(PACKED.with(13, packing)))).toBe(code);
  });

  test('a packed batch of another number of elements', () => {
    expect(codeOf(encode(PACKED.slice(0, 14)))).toBe('BATCH_INVALID');
    expect(codeOf(encode([2, ...FIELDS.slice(1)]))).toBe('BATCH_INVALID');
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

  test.each([0, 3, '1', null])('format version %j', (version) => {
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
