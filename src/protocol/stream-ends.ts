/**
 * Where in its origin's replication stream each change of a batch ended. It tells whether a copy of the origin's data, of which only the
 * place in the stream is known, has a change. The offset of the first change, then for each one that follows how much further it ended,
 * as numbers of seven bits a byte, the lowest first, with the eighth set in all but the last.
 */

const BITS = 7;
const MORE = 2 ** BITS;
/** Bytes of the largest number that is exact. */
const LONGEST = 8;

/** @param ends offsets, none lower than the one before it */
export function encodeEnds(ends: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(LONGEST + ends.length * LONGEST);
  let at = 0;
  let before = 0;
  for (const end of ends) {
    let left = end - before;
    before = end;
    while (left >= MORE) {
      bytes[at++] = (left % MORE) + MORE;
      left = Math.floor(left / MORE);
    }
    bytes[at++] = left;
  }
  return bytes.subarray(0, at);
}

/** The offsets again; bytes that are cut short give fewer. */
export function decodeEnds(bytes: Buffer): number[] {
  const ends: number[] = [];
  let [value, scale, before] = [0, 1, 0];
  for (const byte of bytes) {
    value += (byte % MORE) * scale;
    if (byte >= MORE) {
      scale *= MORE;
      continue;
    }
    ends.push((before += value));
    [value, scale] = [0, 1];
  }
  return ends;
}
