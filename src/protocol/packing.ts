/**
 * How the payload of a batch may be packed: what Node.js itself packs and unpacks, so that no module is needed. A batch is packed once at
 * its origin and unpacked where it is read. Both are done in place: 64 KiB take 0.1 to 0.4 ms (docs/performance.md).
 */

import * as zlib from 'node:zlib';
import { TandemError } from '../errors.js';
import { invalid } from './batch-header.js';

/** Bytes that a packed payload comes to: a larger one travels as it is, so that nobody can fill a memory with few bytes. */
export const MAX_UNPACKED_BYTES = 4 * 1024 * 1024;

/** The algorithms by their number in a batch. A number is never given twice. */
const NUMBERED = { 1: 'deflate-raw', 2: 'brotli', 3: 'zstd' } as const;

export type Algorithm = (typeof NUMBERED)[keyof typeof NUMBERED];

const ALGORITHMS: readonly Algorithm[] = Object.values(NUMBERED);

/** How a payload is packed. */
export interface Packing {
  readonly algorithm: Algorithm;
  /** Bytes that it comes to. */
  readonly bytes: number;
}

interface Coder {
  readonly pack: (bytes: Buffer) => Buffer;
  /** @param most bytes it may come to; throws beyond them */
  readonly unpack: (bytes: Buffer, most: number) => Buffer;
}

/** Node.js has these from 22.15 on. The types are those of the oldest supported version. */
interface Zstd {
  readonly zstdCompressSync?: (bytes: Buffer, options: { params: Record<number, number> }) => Buffer;
  readonly zstdDecompressSync?: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
}

const CODERS: ReadonlyMap<Algorithm, Coder> = coders();

/** The algorithms that this process can read, and pack by. */
export const READABLE: readonly Algorithm[] = ALGORITHMS.filter((algorithm) => CODERS.has(algorithm));

export function numberOf(algorithm: Algorithm): number {
  return ALGORITHMS.indexOf(algorithm) + 1;
}

/** The algorithm with a number; undefined for one that this build does not know. */
export function numbered(number: number): Algorithm | undefined {
  return ALGORITHMS[number - 1];
}

/** @param algorithm one of {@link READABLE} */
export function pack(algorithm: Algorithm, bytes: Buffer): Buffer {
  return CODERS.get(algorithm)!.pack(bytes);
}

/**
 * The payload that was packed. Takes no more memory than it says, and no more than {@link MAX_UNPACKED_BYTES}.
 * @throws TandemError BATCH_INVALID; BATCH_VERSION when this version of Node.js has no such algorithm
 */
export function unpack(body: Buffer, { algorithm, bytes }: Packing): Buffer {
  const coder = CODERS.get(algorithm);
  if (!coder)
    throw new TandemError(
      'BATCH_VERSION',
      `a batch is packed by ${algorithm}, which this Node.js cannot read`,
      {
        hint: 'run the version of Node.js that this site ran before, until the inbox is empty',
      },
    );
  if (bytes < 1 || bytes > MAX_UNPACKED_BYTES) throw invalid('it is packed, and too large');
  const payload = unpacked(coder, body, bytes);
  if (payload?.length !== bytes) throw invalid('what is packed in it cannot be unpacked');
  return payload;
}

function unpacked(coder: Coder, body: Buffer, bytes: number): Buffer | undefined {
  try {
    return coder.unpack(body, bytes);
  } catch {
    return undefined;
  }
}

function coders(): ReadonlyMap<Algorithm, Coder> {
  const { BROTLI_PARAM_QUALITY: quality, BROTLI_PARAM_SIZE_HINT: sizeHint } = zlib.constants;
  const found = new Map<Algorithm, Coder>([
    [
      'deflate-raw',
      {
        pack: (bytes) => zlib.deflateRawSync(bytes, { level: 1 }),
        unpack: (bytes, most) => zlib.inflateRawSync(bytes, { maxOutputLength: most }),
      },
    ],
    [
      'brotli',
      {
        pack: (bytes) =>
          zlib.brotliCompressSync(bytes, { params: { [quality]: 1, [sizeHint]: bytes.length } }),
        unpack: (bytes, most) => zlib.brotliDecompressSync(bytes, { maxOutputLength: most }),
      },
    ],
  ]);
  const { zstdCompressSync, zstdDecompressSync, constants } = zlib as unknown as Zstd;
  if (zstdCompressSync && zstdDecompressSync)
    found.set('zstd', {
      pack: (bytes) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
      unpack: (bytes, most) => zstdDecompressSync(bytes, { maxOutputLength: most }),
    });
  return found;
}
