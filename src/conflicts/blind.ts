import type { Batch } from '../protocol/batch.js';
import { ARRIVAL, LACK } from '../protocol/messages/messages.js';
import { keysOf, payloadCommands, type ExtraCommands } from '../protocol/payload.js';
import type { Asked } from './resolved.js';

/**
 * What is asked for when the window has lost what was written here while the peer was away: nothing can be decided on any key of the
 * batch.
 */
export function writtenBy(batch: Batch, extra: ExtraCommands): Asked[] {
  // What is added at the end has met nothing.
  const commands = [...payloadCommands(batch.payload, { extra })].filter(({ name }) => name !== ARRIVAL);
  return commands.flatMap((command) =>
    keysOf(command, 'written').map((key) => ({
      ...key,
      lack: LACK.own,
      theirLack: LACK.nothing,
      isHot: false,
    })),
  );
}
