/** The keys of a local change, as those hear of them who may have something to say before it. */

import { CommandReader } from '../redis-commands/command-reader.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { isOnKeyOf } from './internal-commands.js';
import { MARK } from '../protocol/messages/mark.js';
import { messageEffect, messageKeys } from '../protocol/messages/messages.js';
import type { WrittenKey } from '../local-writes/late-options.js';
import type { Verdict } from './selection.js';

/** @param isEnd whether it is the end of a key, or of fields, by a deadline */
export function writtenKeys(
  { effect, effects, keys, keyspace }: Verdict,
  isEnd: boolean,
): WrittenKey[] | 'all' {
  if (effect === 'flush' || keyspace.length > 0 || (effect === 'unknown' && keys.length === 0)) return 'all';
  return keys.map((key, at) => {
    const one = effects?.[at] ?? effect;
    const replaces = !isEnd && key.isRead !== true && (one === 'set' || one === 'remove');
    return { key, does: replaces ? 'replace' : 'other' };
  });
}

/** The same of a message of Tandem's own. What a state says, or a mark promises, holds only for what is as it should be. */
export function keysOfMessage(name: string, args: readonly Buffer[]): WrittenKey[] | 'all' {
  if (name === MARK) return 'all';
  const effect = messageEffect(name, args);
  if (effect !== 'state' && effect !== 'copy' && effect !== 'need') return [];
  return messageKeys(name, args).map((key) => ({ key, does: effect === 'need' ? 'ask' : 'other' }));
}

/**
 * What a `RENAME` in an applied transaction shows: itself, or, of a value that was put together beside the keys, that its key has another
 * value now, as a `RESTORE` says it. Nothing where the value that stood there goes out of the way.
 */
export function placedBy(reader: CommandReader, prefix: Buffer): CommandReader | undefined {
  if (isOnKeyOf(reader, prefix, 2)) return undefined;
  if (!isOnKeyOf(reader, prefix)) return reader;
  const restored = new CommandReader();
  restored.push(encodeCommand(['RESTORE', reader.argument(2), 0, '', 'REPLACE']));
  restored.next();
  return restored;
}
