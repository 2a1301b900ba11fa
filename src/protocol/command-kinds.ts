/** Kinds of commands, by the keys they take. */

import { commandSpec, effectOf } from '../redis-commands/command-table.js';
import { messageKind } from './messages/messages.js';
import { keysOf, type PayloadCommand } from './payload.js';

/** Whether a command makes keys of other keys. */
export function isDerived(command: PayloadCommand): boolean {
  const { spec, args } = command;
  if (spec === undefined) return false;
  const effect = effectOf(spec, args);
  // `SMOVE` takes a member out of one set and puts it into another: each says what it is by itself.
  if (isSetMove(command)) return false;
  return effect === 'derive' || effect === 'move' || (effect === 'union' && spec.reads.length > 0);
}

export function isOnOneKey(command: PayloadCommand): boolean {
  return command.spec?.singleKey === true || keysOf(command, 'all').length === 1;
}

/** Whether each of its keys can be resolved without the others. */
export function isPerKey(command: PayloadCommand): boolean {
  const { spec, args } = command;
  if (spec === undefined) return false;
  const effect = effectOf(spec, args);
  return effect === 'remove' || (effect === 'set' && spec.name === 'MSET') || isSetMove(command);
}

/** Whether a command takes a member out of one set and puts it into another. As it is it does both, or nothing where one does not fit. */
export function isSetMove({ spec, args }: PayloadCommand): boolean {
  return spec?.name === 'SMOVE' && args.length > 3 && !args[1]!.equals(args[2]!);
}

/** Whether a receiver never runs a command as it is: a message, or a command on whole databases. @param name upper case */
export function isTranslated(name: string): boolean {
  const effect = commandSpec(name)?.effect;
  return messageKind(name) !== undefined || effect === 'flush' || effect === 'swap';
}

/** Whether a command adds entries to a stream or takes them off. */
export function isOfEntries(name: string): boolean {
  return name === 'XDEL' || name === 'XTRIM' || name === 'XADD';
}
