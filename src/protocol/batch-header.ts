/**
 * Reads the MessagePack of a batch, and no other: an array of text, whole numbers, one array of them, and bytes. A length that is
 * announced and not there is refused before memory is taken for it. A general decoder makes room for arrays within arrays first. Source:
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 */

import { TandemError } from '../errors.js';

/** Longest text in a header, in bytes. */
const MAX_TEXT_BYTES = 1024;

const NIL = 0xc0;
const BIN8 = 0xc4;
const BIN16 = 0xc5;
const BIN32 = 0xc6;
const FLOAT64 = 0xcb;
const UINT8 = 0xcc;
const UINT16 = 0xcd;
const UINT32 = 0xce;
const UINT64 = 0xcf;
const STR8 = 0xd9;
const STR16 = 0xda;
const STR32 = 0xdb;
const ARRAY16 = 0xdc;
const ARRAY32 = 0xdd;

export class HeaderReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Number of elements of the array that begins here. */
  array(): number {
    const type = this.#byte();
    const length = type >= 0x90 && type <= 0x9f ? type & 0x0f : this.#length(type, [ARRAY16, ARRAY32]);
    // An element is a byte at the least.
    if (length > this.#bytes.length - this.#at) throw invalid('it ends early');
    return length;
  }

  text(): string {
    const type = this.#byte();
    const length = type >= 0xa0 && type <= 0xbf ? type & 0x1f : this.#length(type, [STR8, STR16, STR32]);
    if (length > MAX_TEXT_BYTES) throw invalid('a text is too long');
    return this.#take(length).toString('utf8');
  }

  /** A whole number from 0 up to what is exact. */
  count(): number {
    const value = this.#number(this.#byte());
    if (value === undefined || !Number.isSafeInteger(value) || value < 0)
      throw invalid('a count is not a whole number');
    return value;
  }

  counts(): number[] {
    const values: number[] = [];
    for (let left = this.array(); left > 0; left--) values.push(this.count());
    return values;
  }

  /** Bytes, as a view. */
  bytes(): Buffer {
    return this.#take(this.#length(this.#byte(), [BIN8, BIN16, BIN32]));
  }

  /** A number, or a word for what else is there. */
  any(): number | string {
    const type = this.#byte();
    if (type === NIL) return 'nil';
    return this.#number(type) ?? 'of another kind';
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw invalid('there are bytes behind it');
  }

  #number(type: number): number | undefined {
    switch (type) {
      case UINT8:
        return this.#take(1).readUInt8();
      case UINT16:
        return this.#take(2).readUInt16BE();
      case UINT32:
        return this.#take(4).readUInt32BE();
      case UINT64:
        return Number(this.#take(8).readBigUInt64BE());
      case FLOAT64:
        return this.#take(8).readDoubleBE();
      default:
        return type <= 0x7f ? type : undefined;
    }
  }

  /** @param types with a length of rising size behind them, the last one of four bytes */
  #length(type: number, types: readonly number[]): number {
    const size = 4 >> (types.length - 1 - types.indexOf(type));
    if (!types.includes(type)) throw invalid('an element is of another kind than expected');
    return this.#take(size).readUIntBE(0, size);
  }

  #byte(): number {
    return this.#take(1)[0]!;
  }

  #take(length: number): Buffer {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw invalid('it ends early');
    this.#at = start + length;
    return this.#bytes.subarray(start, this.#at);
  }
}

export function invalid(why: string): TandemError {
  return new TandemError('BATCH_INVALID', `a batch cannot be read: ${why}`);
}
