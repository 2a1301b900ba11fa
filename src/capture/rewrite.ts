/**
 * Rewrites what the stream says in words that a client may not use, or that would mean something else later:
 * - Redis 6.2 sends expiries relative to now (`SET … PX`, `EXPIRE`); later servers send them absolute. Relative ones become
 *   absolute, by this machine's clock, so that they mean the same however long the change travels.
 * - A condition that held at the origin (`SET … NX`, `SETNX`, `HSETNX`, `RENAMENX`, `PEXPIREAT … GT` …) is dropped: what was done is to be done.
 * - A trim of a stream arrives as it came out, `MAXLEN = 4 LIMIT 100`; no server takes a `LIMIT` without `~` from a client.
 */

import { fieldOptions, isFieldCondition } from '../redis-commands/options/field-options.js';
import { isAbsoluteRestore } from '../redis-commands/options/key-options.js';
import type { Option } from '../redis-commands/options/option.js';
import { streamOptions } from '../redis-commands/options/stream-options.js';
import { getexOptions, isSetCondition, setOptions } from '../redis-commands/options/value-options.js';
import { countAt } from '../redis-commands/table/arguments.js';

/**
 * A server leaves what had no effect out of its stream. Of several fields Valkey names also those that did not meet the condition of an
 * expiry; `HSETEX` sets all or none.
 */
function onFields(name: string, args: readonly Buffer[]): Buffer[] | undefined {
  const options = fieldOptions(args);
  const fields = options.find((option) => option.name === 'FIELDS');
  if (!fields || (name !== 'HSETEX' && countAt(args, fields.at + 1) !== 1)) return undefined;
  return without(args, options.filter(isFieldCondition));
}

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
      return onFields(name, args);
    case 'GETEX':
      return withAbsoluteExpiry(args, getexOptions(args), nowMs);
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
  const { trim, all } = streamOptions(args);
  if (trim?.isExact === false) return undefined;
  return without(
    args,
    all.filter(({ name }) => name === 'LIMIT'),
  );
}

/** A `SET` that does not say when to set, or what to answer. */
function plainSet(args: readonly Buffer[], nowMs: number): Buffer[] | undefined {
  const dropped = setOptions(args).filter((option) => isSetCondition(option) || option.name === 'GET');
  const plain = without(args, dropped);
  const kept = plain ?? args;
  return withAbsoluteExpiry(kept, setOptions(kept), nowMs) ?? plain;
}

function withAbsoluteExpiry(
  args: readonly Buffer[],
  options: readonly Option[],
  nowMs: number,
): Buffer[] | undefined {
  const relative = options.find(({ name, end }) => (name === 'EX' || name === 'PX') && end <= args.length);
  if (!relative) return undefined;
  const time = at(args[relative.at + 1]!, relative.name === 'EX' ? 1000 : 1, nowMs);
  return [...args.slice(0, relative.at), Buffer.from('PXAT'), time, ...args.slice(relative.end)];
}

/** A command without some of its options; nothing where it has none of them. */
function without(args: readonly Buffer[], options: readonly Option[]): Buffer[] | undefined {
  if (options.length === 0) return undefined;
  return args.filter((_, index) => !options.some((option) => index >= option.at && index < option.end));
}

function restored(args: readonly Buffer[], nowMs: number): Buffer[] | undefined {
  const [name, key, ttl, dump, ...options] = args;
  if (dump === undefined || Number(ttl!.toString('latin1')) === 0) return undefined;
  if (isAbsoluteRestore(args)) return undefined;
  return [name!, key!, at(ttl!, 1, nowMs), dump, ...options, Buffer.from('ABSTTL')];
}

/** Exact beyond what a double holds: expiries may be as large as a signed 64-bit number. The peer's server refuses what is no number. */
function at(duration: Buffer, unitMs: number, nowMs: number): Buffer {
  if (!/^-?\d{1,20}$/.test(duration.toString('latin1'))) return duration;
  return Buffer.from(String(BigInt(duration.toString('latin1')) * BigInt(unitMs) + BigInt(nowMs)));
}
