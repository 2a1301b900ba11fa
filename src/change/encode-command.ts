const CRLF = Buffer.from('\r\n');

/** One argument: text is sent as UTF-8, numbers in decimal. */
export type Argument = string | number | Buffer;

/** A command as RESP bytes (`*<count>` and bulk strings), ready for a socket or a batch. */
export function encodeCommand(args: readonly Argument[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const argument of args) {
    const bytes =
      typeof argument === 'string'
        ? Buffer.from(argument)
        : typeof argument === 'number'
          ? Buffer.from(String(argument))
          : argument;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF);
  }
  return Buffer.concat(parts);
}
