/**
 * Expiries that are past when they arrive. A server that is given a key with one drops it at once, and may not say so in its stream
 * (Valkey 8.1 and 9.1 with `SET`, all with `RESTORE`), although the key may live on at its origin, with a later expiry that comes
 * next. Such an expiry is given by itself, and a little ahead (`set-deadline.lua`): the key ends behind the transaction.
 */

import type { Argument } from './encode-command.js';
import { expiryOfSet, isExpiry, setOptions } from './options/value-options.js';

/** A deadline so soon after a plan may pass before the plan is carried out, also by a clock that differs a little. */
const SOON_MS = 1000;

/** Whether a time, in ms since 1970, may be past when a decision is carried out. */
export function isSoon(time: Argument, now: number): boolean {
  return Number(time.toString()) <= now + SOON_MS;
}

/**
 * The deadline that a command gives its key, in ms since 1970: a `SET` or a `PEXPIREAT`. `kept` where a `SET` leaves the key the one it
 * has; undefined for any other command.
 * @param name upper case @param argument of the command, the name being the first
 */
export function deadlineOf(
  name: string,
  argument: (index: number) => Argument,
  count: number,
): number | 'kept' | undefined {
  if (name === 'PEXPIREAT' && count === 3) return Number(argument(2).toString());
  return name === 'SET' && count > 3 ? expiryOfSet(argument, count) : undefined;
}

/** A command, its expiry by itself if that may be past when it is carried out. */
export function withExpiryApart(args: readonly Argument[], now: number): (readonly Argument[])[] {
  if (String(args[0]).toUpperCase() !== 'SET') return [args];
  const options = setOptions(args);
  const expiry = options.find(({ name, end }) => name === 'PXAT' && end <= args.length);
  if (!expiry || !isSoon(args[expiry.at + 1]!, now)) return [args];
  // With a condition it is not known whether it sets anything.
  if (!options.every((option) => isExpiry(option) || option.name === 'GET')) return [args];
  const rest = [...args.slice(0, expiry.at), ...args.slice(expiry.end)];
  return [rest, ['PEXPIREAT', args[1]!, args[expiry.at + 1]!]];
}
