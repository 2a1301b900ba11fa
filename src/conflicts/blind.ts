import type { BatchCommands } from '../protocol/batch-commands.js';
import { ARRIVAL } from '../protocol/messages/arrival.js';
import { LACK } from '../protocol/messages/state-request.js';
import { keysOf } from '../protocol/payload.js';
import type { Asked } from './resolved.js';

/**
 * The keys to ask for when the window has let go of local writes that the sender had not seen: all that the batch writes. None of them
 * can be decided.
 */
export function writtenBy(batch: BatchCommands): Asked[] {
  // An entry that is added at the end of its stream has met nothing.
  const commands = [...batch].filter(({ name }) => name !== ARRIVAL);
  return commands.flatMap((command) =>
    keysOf(command, 'written').map((key) => ({
      ...key,
      lack: LACK.localWrites,
      theirLack: LACK.nothing,
      isContended: false,
    })),
  );
}
