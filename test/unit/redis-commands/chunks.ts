import * as fc from 'fast-check';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';

/** Any bytes, among them those that the protocol itself uses. */
export const bytes = fc
  .oneof(
    { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 200, maxLength: 3000, size: 'max' }) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('', '\r\n', '\r', '$', '*1\r\n', '$3\r\nabc\r\n', '+OK\r\n', '\n'),
    },
  )
  .map((value) => Buffer.from(value as string));

/** Any command: a name and arguments of any bytes. */
export const command = fc.array(bytes, { minLength: 1, maxLength: 12 });

/** Where bytes are cut, as shares of their length; the same place twice makes an empty chunk. */
export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 });

/** The bytes in pieces. Each piece is a copy: whoever reads them cannot look beyond its end. */
export function cut(whole: Buffer, shares: readonly number[]): Buffer[] {
  const places = shares.map((share) => Math.floor(share * whole.length)).toSorted((a, b) => a - b);
  return [0, ...places].map((from, i) => Buffer.from(whole.subarray(from, places[i] ?? whole.length)));
}

/** Pieces of `size` bytes. */
export function pieces(whole: Buffer, size: number): Buffer[] {
  const all: Buffer[] = [];
  for (let at = 0; at < whole.length; at += size) all.push(Buffer.from(whole.subarray(at, at + size)));
  return all;
}

/** `SET key value` and the like, words apart by one space, as RESP bytes. */
export function resp(...lines: readonly string[]): Buffer {
  return Buffer.concat(lines.map((line) => encodeCommand(line.split(' '))));
}
