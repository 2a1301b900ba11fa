/**
 * Passes over the snapshot (RDB) that a server sends before a stream that is not resumed: `$<length>\r\n<bytes>`, or
 * `$EOF:<40 bytes>\r\n<bytes><the same 40 bytes>` for a snapshot that was never on disk. Newlines before it are keep-alives.
 */

import { TandemError } from '../../errors.js';

const MARK_BYTES = 40;
/** A header longer than this is none. */
const MAX_HEADER_BYTES = 128;
const NEWLINE = 10;

export class SnapshotSkipper {
  #header: Buffer | undefined = Buffer.alloc(0);
  #left = 0;
  #mark: Buffer | undefined;
  #tail: Buffer = Buffer.alloc(0);

  /** Takes bytes; gives what follows the snapshot once it has ended, nothing before. */
  push(chunk: Buffer): Buffer | undefined {
    const body = this.#header === undefined ? chunk : this.#readHeader(chunk);
    if (body === undefined) return undefined;
    return this.#mark ? this.#skipToMark(body, this.#mark) : this.#skipLength(body);
  }

  #readHeader(chunk: Buffer): Buffer | undefined {
    let bytes = Buffer.concat([this.#header!, chunk]);
    while (bytes[0] === NEWLINE) bytes = bytes.subarray(1);
    const stop = bytes.indexOf('\r\n');
    if (stop < 0) {
      if (bytes.length > MAX_HEADER_BYTES) throw unreadable();
      this.#header = bytes;
      return undefined;
    }
    const header = bytes.toString('latin1', 0, stop);
    this.#header = undefined;
    if (header.startsWith('$EOF:')) {
      this.#mark = Buffer.from(header.slice(5), 'latin1');
      if (this.#mark.length !== MARK_BYTES) throw unreadable();
    } else {
      if (!/^\$\d{1,15}$/.test(header)) throw unreadable();
      this.#left = Number(header.slice(1));
    }
    return bytes.subarray(stop + 2);
  }

  #skipLength(bytes: Buffer): Buffer | undefined {
    if (bytes.length < this.#left) {
      this.#left -= bytes.length;
      return undefined;
    }
    return bytes.subarray(this.#left);
  }

  #skipToMark(bytes: Buffer, mark: Buffer): Buffer | undefined {
    const joined = Buffer.concat([this.#tail, bytes]);
    const at = joined.indexOf(mark);
    if (at >= 0) return joined.subarray(at + MARK_BYTES);
    this.#tail = joined.subarray(Math.max(0, joined.length - MARK_BYTES + 1));
    return undefined;
  }
}

function unreadable(): TandemError {
  return new TandemError(
    'STREAM_INVALID',
    'the snapshot that precedes the replication stream has an unknown form',
  );
}
