/** One argument: text is sent as UTF-8, numbers in decimal. */
export type Argument = string | number | Buffer;

/** Longest `*<count>\r\n` or `$<length>\r\n`. */
const MAX_HEADER_BYTES = 14;
/** The longest number in decimal, as `-1.2345678901234567e-123`. */
const MAX_NUMBER_BYTES = 25;

const [STAR, DOLLAR, ZERO, CR, LF] = [42, 36, 48, 13, 10];

/** A command as RESP bytes (`*<count>` and bulk strings), ready for a socket or a batch. */
export function encodeCommand(args: readonly Argument[]): Buffer {
  let length = MAX_HEADER_BYTES;
  for (const argument of args) length += MAX_HEADER_BYTES + 2 + sizeOf(argument);
  const bytes = Buffer.allocUnsafe(length);
  let at = writeHeader(bytes, 0, STAR, args.length);
  for (const argument of args) {
    const written = typeof argument === 'number' ? String(argument) : argument;
    const size = typeof written === 'string' ? Buffer.byteLength(written) : written.length;
    at = writeHeader(bytes, at, DOLLAR, size);
    at += typeof written === 'string' ? bytes.write(written, at) : written.copy(bytes, at);
    bytes[at++] = CR;
    bytes[at++] = LF;
  }
  return bytes.subarray(0, at);
}

/** At the most so many bytes. */
function sizeOf(argument: Argument): number {
  if (typeof argument === 'number') return MAX_NUMBER_BYTES;
  return typeof argument === 'string' ? Buffer.byteLength(argument) : argument.length;
}

/** Digit by digit: most are small, and text of its own costs more than they do. */
function writeHeader(bytes: Buffer, start: number, kind: number, count: number): number {
  let digits = 1;
  for (let rest = count; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  bytes[start] = kind;
  const end = start + 1 + digits;
  for (let [at, rest] = [end - 1, count]; at > start; at--, rest = Math.floor(rest / 10))
    bytes[at] = ZERO + (rest % 10);
  bytes[end] = CR;
  bytes[end + 1] = LF;
  return end + 2;
}
