/**
 * Rewrites what the stream says in words that a client may not use, or that would mean something else later:
 * - Redis 6.2 sends expiries relative to now (`SET … PX`, `EXPIRE`); later servers send them absolute. Relative ones become
 *   absolute, by this machine's clock, so that they mean the same however long the change travels.
 * - A trim of a stream arrives as it came out, `MAXLEN = 4 LIMIT 100`; no server takes a `LIMIT` without `~` from a client.
 */

/**
 * The command to be sent instead; nothing when it is good as it is.
 * @param name upper case
 * @param args the name first
 */
export function rewritten(name: string, args: readonly Buffer[], nowMs: number): Buffer[] | undefined {
  switch (name) {
    case 'EXPIRE':
      return args.length < 3
        ? undefined
        : [Buffer.from('PEXPIREAT'), args[1]!, at(args[2]!, 1000, nowMs), ...args.slice(3)];
    case 'PEXPIRE':
      return args.length < 3
        ? undefined
        : [Buffer.from('PEXPIREAT'), args[1]!, at(args[2]!, 1, nowMs), ...args.slice(3)];
    case 'SETEX':
      return args.length < 4
        ? undefined
        : [Buffer.from('SET'), args[1]!, args[3]!, Buffer.from('PXAT'), at(args[2]!, 1000, nowMs)];
    case 'PSETEX':
      return args.length < 4
        ? undefined
        : [Buffer.from('SET'), args[1]!, args[3]!, Buffer.from('PXAT'), at(args[2]!, 1, nowMs)];
    case 'SET':
      return withOption(args, 3, nowMs);
    case 'GETEX':
      return withOption(args, 2, nowMs);
    case 'RESTORE':
    case 'RESTORE-ASKING':
      return restored(args, nowMs);
    case 'XADD':
    case 'XTRIM':
      return withoutLimit(args);
    default:
      return undefined;
  }
}

/** The options of a trim stand before the entry's fields: among the first eight arguments. */
function withoutLimit(args: readonly Buffer[]): Buffer[] | undefined {
  for (let i = 2; i + 1 < args.length && i < 8; i++) {
    const option = args[i]!.toString('latin1').toUpperCase();
    if (option === '*' || /^\d+-\d+$/.test(option)) return undefined;
    if (option === 'LIMIT' && args[i - 2]?.toString('latin1') !== '~')
      return [...args.slice(0, i), ...args.slice(i + 2)];
  }
  return undefined;
}

function withOption(args: readonly Buffer[], from: number, nowMs: number): Buffer[] | undefined {
  for (let i = from; i + 1 < args.length; i++) {
    const option = args[i]!.toString('latin1').toUpperCase();
    if (option !== 'EX' && option !== 'PX') continue;
    return [
      ...args.slice(0, i),
      Buffer.from('PXAT'),
      at(args[i + 1]!, option === 'EX' ? 1000 : 1, nowMs),
      ...args.slice(i + 2),
    ];
  }
  return undefined;
}

function restored(args: readonly Buffer[], nowMs: number): Buffer[] | undefined {
  const [name, key, ttl, dump, ...options] = args;
  if (dump === undefined || Number(ttl!.toString('latin1')) === 0) return undefined;
  if (options.some((option) => option.toString('latin1').toUpperCase() === 'ABSTTL')) return undefined;
  return [name!, key!, at(ttl!, 1, nowMs), dump, ...options, Buffer.from('ABSTTL')];
}

/** Exact beyond what a double holds: expiries may be as large as a signed 64-bit number. */
function at(duration: Buffer, unitMs: number, nowMs: number): Buffer {
  return Buffer.from(String(BigInt(duration.toString('latin1')) * BigInt(unitMs) + BigInt(nowMs)));
}
