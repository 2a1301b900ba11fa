/**
 * Rewrites what the stream says in words that a client may not use, or that would mean something else later:
 * - Redis 6.2 sends expiries relative to now (`SET … PX`, `EXPIRE`); later servers send them absolute. Relative ones become
 *   absolute, by this machine's clock, so that they mean the same however long the change travels.
 * - A condition that held at the origin (`SET … NX`, `SETNX`, `HSETNX`, `RENAMENX`, `PEXPIREAT … GT` …) is dropped: what was done is to be done.
 * - A trim of a stream arrives as it came out, `MAXLEN = 4 LIMIT 100`; no server takes a `LIMIT` without `~` from a client.
 */

import { countAt, tokenAt } from '../redis-commands/table/arguments.js';
import { streamOptions } from '../redis-commands/stream-options.js';

/**
 * A server leaves what had no effect out of its stream. Of several fields Valkey names also those that did not meet the condition of an
 * expiry; `HSETEX` sets all or none.
 */
function onFields(args: readonly Buffer[]): Buffer[] | undefined {
  const from = args.findIndex((_, index) => index > 1 && tokenAt(args, index) === 'FIELDS');
  const isSet = tokenAt(args, 0) === 'HSETEX';
  if (from < 0 || (!isSet && countAt(args, from + 1) !== 1)) return undefined;
  const rest = args.filter((_, index) => index < 2 || index >= from || !CONDITIONS.has(tokenAt(args, index)));
  return rest.length === args.length ? undefined : rest;
}

const CONDITIONS: ReadonlySet<string> = new Set(['NX', 'XX', 'GT', 'LT', 'FNX', 'FXX']);

/**
 * The command to be sent instead; nothing when it is good as it is.
 * @param name upper case
 * @param args the name first
 */
export function rewritten(name: string, args: readonly Buffer[], nowMs: number): Buffer[] | undefined {
  switch (name) {
    case 'EXPIRE':
      return args.length < 3 ? undefined : [Buffer.from('PEXPIREAT'), args[1]!, at(args[2]!, 1000, nowMs)];
    case 'PEXPIRE':
      return args.length < 3 ? undefined : [Buffer.from('PEXPIREAT'), args[1]!, at(args[2]!, 1, nowMs)];
    case 'EXPIREAT':
    case 'PEXPIREAT':
      return args.length > 3 ? args.slice(0, 3) : undefined;
    case 'SETEX':
      return args.length < 4
        ? undefined
        : [Buffer.from('SET'), args[1]!, args[3]!, Buffer.from('PXAT'), at(args[2]!, 1000, nowMs)];
    case 'PSETEX':
      return args.length < 4
        ? undefined
        : [Buffer.from('SET'), args[1]!, args[3]!, Buffer.from('PXAT'), at(args[2]!, 1, nowMs)];
    case 'SET':
      return plainSet(args, nowMs);
    case 'LPUSHX':
      return [Buffer.from('LPUSH'), ...args.slice(1)];
    case 'RPUSHX':
      return [Buffer.from('RPUSH'), ...args.slice(1)];
    case 'SETNX':
      return [Buffer.from('SET'), ...args.slice(1)];
    case 'MSETNX':
      return [Buffer.from('MSET'), ...args.slice(1)];
    case 'HSETNX':
      return [Buffer.from('HSET'), ...args.slice(1)];
    case 'RENAMENX':
      return [Buffer.from('RENAME'), ...args.slice(1)];
    case 'DELIFEQ':
      return [Buffer.from('DEL'), args[1]!];
    case 'HPEXPIREAT':
    case 'HSETEX':
      return onFields(args);
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

/** Takes `LIMIT count` out of an exact trim. */
function withoutLimit(args: readonly Buffer[]): Buffer[] | undefined {
  const { trim, limitAt } = streamOptions(args);
  if (limitAt === undefined || trim?.isExact === false) return undefined;
  return [...args.slice(0, limitAt), ...args.slice(limitAt + 2)];
}

/** Options of `SET` that say when to set, or what to answer; those with a value of their own. */
const SET_CONDITIONS = new Set(['NX', 'XX', 'GET']);
const SET_COMPARISONS = new Set(['IFEQ', 'IFNE', 'IFDEQ', 'IFDNE']);
const SET_EXPIRIES = new Set(['EX', 'PX', 'EXAT', 'PXAT']);

function plainSet(args: readonly Buffer[], nowMs: number): Buffer[] | undefined {
  const kept = args.slice(0, 3);
  for (let i = 3; i < args.length; i++) {
    const option = wordAt(args, i);
    if (SET_COMPARISONS.has(option)) i++;
    else if (SET_EXPIRIES.has(option)) kept.push(...args.slice(i, ++i + 1));
    else if (!SET_CONDITIONS.has(option)) kept.push(args[i]!);
  }
  return withOption(kept, 3, nowMs) ?? (kept.length < args.length ? kept : undefined);
}

/** Options of a `SET` with a value that may look like an option: `IFEQ PX`. */
const OPTIONS_WITH_VALUE = new Set(['EXAT', 'PXAT', 'IFEQ', 'IFNE', 'IFDEQ', 'IFDNE']);

function withOption(args: readonly Buffer[], from: number, nowMs: number): Buffer[] | undefined {
  for (let i = from; i + 1 < args.length; i++) {
    const option = wordAt(args, i);
    if (OPTIONS_WITH_VALUE.has(option)) i++;
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
  if (options.some((_, index) => wordAt(options, index) === 'ABSTTL')) return undefined;
  return [name!, key!, at(ttl!, 1, nowMs), dump, ...options, Buffer.from('ABSTTL')];
}

/** An option in upper case; nothing for what is too long to be one. */
function wordAt(args: readonly Buffer[], index: number): string {
  const argument = args[index];
  return argument === undefined || argument.length > 10 ? '' : argument.toString('latin1').toUpperCase();
}

/** Exact beyond what a double holds: expiries may be as large as a signed 64-bit number. The peer's server refuses what is no number. */
function at(duration: Buffer, unitMs: number, nowMs: number): Buffer {
  if (!/^-?\d{1,20}$/.test(duration.toString('latin1'))) return duration;
  return Buffer.from(String(BigInt(duration.toString('latin1')) * BigInt(unitMs) + BigInt(nowMs)));
}
