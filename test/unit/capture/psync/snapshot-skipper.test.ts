import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SnapshotSkipper } from '../../../../src/capture/psync/snapshot-skipper.js';
import { bytes, cut, cuts, pieces } from '../../redis-commands/chunks.js';

const MARK = 'abcdefghijklmnopqrstuvwxyz0123456789ABCD';

/** What comes out behind the snapshot when the bytes arrive in these chunks; nothing if it never ended. */
function rest(chunks: readonly Buffer[]): string | undefined {
  const skipper = new SnapshotSkipper();
  for (const [i, chunk] of chunks.entries()) {
    const behind = skipper.push(chunk);
    if (behind) return Buffer.concat([behind, ...chunks.slice(i + 1)]).toString('latin1');
  }
  return undefined;
}

const keepAlives = fc.nat({ max: 3 }).map((count) => '\n'.repeat(count));

describe('what follows a snapshot comes out whole, however the bytes are cut,', () => {
  test('when its length was given', () => {
    fc.assert(
      fc.property(keepAlives, bytes, bytes, cuts, (newlines, snapshot, behind, shares) => {
        const whole = Buffer.concat([Buffer.from(`${newlines}$${snapshot.length}\r\n`), snapshot, behind]);
        expect(rest([...cut(whole, shares), Buffer.alloc(0)])).toBe(behind.toString('latin1'));
      }),
      { numRuns: 500 },
    );
  });

  test('when it ends with a mark', () => {
    const partOfMark = fc.nat({ max: MARK.length - 1 }).map((length) => Buffer.from(MARK.slice(0, length)));
    // A mark is random, so that no snapshot contains it; the pieces of this one could come together to the whole.
    const snapshots = fc
      .array(fc.oneof(bytes, partOfMark), { maxLength: 4 })
      .map((all) => Buffer.concat(all))
      .filter((snapshot) => !snapshot.includes(MARK));
    fc.assert(
      fc.property(keepAlives, snapshots, bytes, cuts, (newlines, snapshot, behind, shares) => {
        const whole = Buffer.concat([
          Buffer.from(`${newlines}$EOF:${MARK}\r\n`),
          snapshot,
          Buffer.from(MARK),
          behind,
        ]);
        expect(rest(cut(whole, shares))).toBe(behind.toString('latin1'));
      }),
      { numRuns: 500 },
    );
  });

  test('byte by byte', () => {
    expect(rest(pieces(Buffer.from(`\n\n$EOF:${MARK}\r\nsnapshot${MARK}*1\r\n`), 1))).toBe('*1\r\n');
    expect(rest(pieces(Buffer.from('$3\r\nabc*1\r\n'), 1))).toBe('*1\r\n');
  });
});

test('nothing comes out before the end', () => {
  expect(rest([Buffer.from('$5\r\nabc')])).toBeUndefined();
  expect(rest([Buffer.from(`$EOF:${MARK}\r\nabc${MARK.slice(1)}`)])).toBeUndefined();
});

test.each(['-ERR no\r\n', '*1\r\n', '$abc\r\n', '$EOF:short\r\n', '$-1\r\n', '$\r\n', 'x'.repeat(200)])(
  'a header %j is refused',
  (header) => {
    expect(() => new SnapshotSkipper().push(Buffer.from(header))).toThrowError(
      expect.objectContaining({ code: 'STREAM_INVALID' }),
    );
  },
);
