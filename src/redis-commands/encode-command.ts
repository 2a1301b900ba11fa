/** One argument: text is sent as UTF-8, numbers in decimal. */
export type Argument = string | number | Buffer;

/** Longest `*<count>\r\n` or `$<length>\r\n`. */
const MAX_HEADER_BYTES = 14;

/** A command as RESP bytes (`*<count>` and bulk strings), ready for a socket or a batch. */
export function encodeCommand(args: readonly Argument[]): Buffer {
  const texts = args.map((argument) => (typeof argument === 'number' ? String(argument) : argument));
  let length = MAX_HEADER_BYTES;
  for (const argument of texts) length += MAX_HEADER_BYTES + 2 + Buffer.byteLength(argument);
  const bytes = Buffer.allocUnsafe(length);
  let at = bytes.write(`*${args.length}\r\n`, 'latin1');
  for (const argument of texts) {
    const size = Buffer.byteLength(argument);
    at += bytes.write(`$${size}\r\n`, at, 'latin1');
    at += typeof argument === 'string' ? bytes.write(argument, at) : argument.copy(bytes, at);
    bytes[at++] = 13;
    bytes[at++] = 10;
  }
  return bytes.subarray(0, at);
}
