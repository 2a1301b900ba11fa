import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { sequencedCommands } from '../../../src/protocol/payload.js';
import { BatchBuilder } from '../../../src/capture/batch-builder.js';
import { decodeBatch, encodeBatch, encodeSealed, type Batch } from '../../../src/protocol/batch.js';
import { restOfBatch } from '../../../src/protocol/batch-rest.js';
import { pack } from '../../../src/protocol/packing.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { decodeEnds, encodeEnds } from '../../../src/protocol/stream-ends.js';

const FIRST = 1000;

/** A change: the databases its commands run in, one after the other. */
const change = fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 4 });

function batchOf(changes: readonly number[][]): Buffer {
  const builder = new BatchBuilder();
  for (const [at, databases] of changes.entries()) {
    if (databases.length > 1) builder.beginGroup();
    for (const [index, database] of databases.entries()) {
      const bytes = encodeCommand(['SET', `key ${at} ${index}`, 'value']);
      const flush = encodeCommand(['FLUSHDB']);
      if (at % 5 === 4) builder.addSpecial(flush, 0, flush.length, database);
      else builder.add(bytes, 0, bytes.length, database);
    }
    if (databases.length > 1) builder.endGroup();
  }
  const fields = {
    pair: 'test',
    origin: 'east',
    epoch: 7,
    first: FIRST,
    timestamp: 5,
    seenEpoch: 3,
    seen: 4,
  };
  const ends = encodeEnds(changes.map((_, at) => 100 + at * 10));
  return encodeBatch({ ...fields, ...builder.cut(), ends });
}

function commandsOf(batch: Batch): unknown[] {
  return [...sequencedCommands(batch)].map(({ sequence, command: { args, database } }) => ({
    sequence,
    database,
    args: args.map(String),
  }));
}

it('leaves of a batch what it is cut to, in its databases, transactions whole, with its numbers', () => {
  const input = fc
    .array(change, { minLength: 2, maxLength: 8 })
    .chain((changes) =>
      fc.record({ changes: fc.constant(changes), left: fc.integer({ min: 1, max: changes.length - 1 }) }),
    );
  fc.assert(
    fc.property(input, ({ changes, left }) => {
      const whole = decodeBatch(batchOf(changes));
      const cut = decodeBatch(restOfBatch(batchOf(changes), FIRST + left));
      const { pair, origin, epoch, timestamp, seen } = whole;
      expect(cut).toMatchObject({ pair, origin, epoch, timestamp, seen });
      expect([cut.first, cut.changes]).toEqual([FIRST + left, changes.length - left]);
      expect(commandsOf(cut)).toEqual(
        commandsOf(whole).filter((one) => (one as { sequence: number }).sequence >= FIRST + left),
      );
      expect(decodeEnds(cut.ends!)).toEqual(decodeEnds(whole.ends!).slice(left));
      const all = commandsOf(cut) as { args: string[] }[];
      expect(cut.special).toBe(all.filter(({ args }) => args[0] === 'FLUSHDB').length);
    }),
  );
});

it('leaves the same of a batch that is packed', () => {
  const whole = batchOf([[0], [0, 1], [2]]);
  const { payload, ...header } = decodeBatch(whole);
  const packing = { algorithm: 'deflate-raw', bytes: payload.length } as const;
  const packed = encodeSealed({ ...header, packing, body: pack('deflate-raw', payload) });
  expect(restOfBatch(packed, FIRST + 1)).toEqual(restOfBatch(whole, FIRST + 1));
});
