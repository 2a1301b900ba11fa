import { decodeBatch, encodeBatch, lastSequence, type Batch } from './batch.js';
import { CommandReader } from '../redis-commands/command-reader.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { ChangeEnds } from './change-ends.js';
import { isTranslated } from './command-kinds.js';
import { isSelect } from './payload.js';
import { decodeEnds, encodeEnds } from './stream-ends.js';

/**
 * A batch without its changes before `from`, which the receiver has already.
 * @param from a sequence within the batch, and not its first
 * @throws TandemError BATCH_INVALID
 */
export function restOfBatch(bytes: Buffer, from: number): Buffer {
  const batch = decodeBatch(bytes);
  const left = from - batch.first;
  const { start, command, special, database } = endOf(batch, left);
  const select = encodeCommand(['SELECT', database]);
  // The SELECT in front takes the place of one command.
  const moved = command - 1;
  const groups: number[] = [];
  for (let i = 0; i < batch.groups.length; i += 2)
    if (batch.groups[i]! >= command) groups.push(batch.groups[i]! - moved, batch.groups[i + 1]!);
  return encodeBatch({
    ...batch,
    first: from,
    changes: lastSequence(batch) - from + 1,
    commands: batch.commands - moved,
    special: batch.special - special,
    groups,
    ends: encodeEnds(decodeEnds(batch.ends ?? Buffer.alloc(0)).slice(left)),
    payload: Buffer.concat([select, batch.payload.subarray(start)]),
  });
}

/** The parts before and behind a change that is not the last one of its batch. */
interface End {
  /** Bytes of the payload, and commands, up to its end. */
  readonly start: number;
  readonly command: number;
  /** Commands among them that the receiver translates. */
  readonly special: number;
  /** The database selected there. */
  readonly database: number;
}

function endOf({ payload, groups }: Pick<Batch, 'payload' | 'groups'>, changes: number): End {
  const reader = new CommandReader();
  reader.push(payload);
  const ends = new ChangeEnds(groups);
  let [command, left, special, database] = [0, changes, 0, 0];
  for (; left > 0 && reader.next(); command++) {
    const selects = isSelect(reader);
    if (selects) database = Number(reader.argument(1).toString('latin1'));
    if (isTranslated(reader.argument(0).toString('latin1').toUpperCase())) special++;
    if (ends.isEnd(command, selects)) left--;
  }
  return { start: reader.consumed, command, special, database };
}
