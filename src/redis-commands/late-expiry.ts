/**
 * Expiries that are past when they arrive. A server that is given a key with one drops it at once, and may not say so in its stream
 * (Valkey 8.1 and 9.1 with `SET`, all with `RESTORE`), although the key may live on at its origin, with a later expiry that comes
 * next. Such an expiry is given by itself, and a little ahead (`set-deadline.lua`): the key ends behind the transaction.
 */

import type { Argument } from './encode-command.js';
import { findSetOption, isExpiry, setOptions } from './options/value-options.js';

/** What expires so soon after a decision may do so before it is carried out, also by a clock that differs a little. */
const SOON_MS = 1000;

/** Whether a `SET` gives an expiry that may be past when it is carried out. @param argument of the command, the name being the first */
export function expiresSoon(argument: (index: number) => Argument, count: number, now: number): boolean {
  const at = expiryAt(argument, count);
  return at > 0 && isSoon(argument(at), now);
}

/** Whether a time, in ms since 1970, may be past when a decision is carried out. */
export function isSoon(time: Argument, now: number): boolean {
  return Number(time.toString()) <= now + SOON_MS;
}

/**
 * The deadline a command gives, in ms since 1970: of a `SET` or a `PEXPIREAT`; 0 for none.
 * @param name upper case @param argument of the command, the name being the first
 */
export function deadlineOf(name: string, argument: (index: number) => Argument, count: number): number {
  if (name === 'PEXPIREAT' && count === 3) return Number(argument(2).toString());
  // Without options it is shorter.
  const at = name === 'SET' && count > 4 ? expiryAt(argument, count) : 0;
  return at > 0 ? Number(argument(at).toString()) : 0;
}

/** A command, its expiry by itself if that may be past when it is carried out. */
export function withExpiryApart(args: readonly Argument[], now: number): (readonly Argument[])[] {
  const argument = (index: number): Argument => args[index]!;
  if (String(args[0]).toUpperCase() !== 'SET' || !expiresSoon(argument, args.length, now)) return [args];
  const at = expiryAt(argument, args.length);
  const rest = args.filter((_, index) => index !== at - 1 && index !== at);
  // With a condition it is not known whether it sets anything.
  const isCertain = setOptions(args).every((option) => isExpiry(option) || option.name === 'GET');
  return isCertain ? [rest, ['PEXPIREAT', args[1]!, args[at]!]] : [args];
}

/** Place of the time of a `SET`'s expiry: in a stream it is absolute, in milliseconds. 0 when it has none. */
function expiryAt(argument: (index: number) => Argument, count: number): number {
  const at = findSetOption(argument, count, 'PXAT');
  return at > 0 && at + 1 < count ? at + 1 : 0;
}
