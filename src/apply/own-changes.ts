/**
 * The own changes that an incoming one may not have seen, with their commands: the window knows which they are, the change list
 * has them.
 */

import { decodeBatch, type Batch } from '../change/batch.js';
import { TandemError } from '../errors.js';
import { sequencedCommands, type PayloadCommand } from './payload.js';

/** A command of an own change. */
export interface OwnCommand extends PayloadCommand {
  readonly sequence: number;
  readonly timestamp: number;
}

/** Batches whose commands are kept at hand. */
const CACHED_BATCHES = 64;

export class OwnChanges {
  readonly #fetch: (sequence: number) => Promise<Buffer | undefined>;
  /** Commands of a batch by sequence, by the batch's first sequence; the least lately used first. */
  readonly #batches = new Map<number, { last: number; commands: ReadonlyMap<number, OwnCommand[]> }>();

  /** @param fetch reads the batch of the change list that holds a sequence */
  constructor(fetch: (sequence: number) => Promise<Buffer | undefined>) {
    this.#fetch = fetch;
  }

  /** The commands of an own change. @throws TandemError STATE_LOST when it is in the change list no more */
  async commandsOf(sequence: number): Promise<readonly OwnCommand[]> {
    for (const [first, batch] of this.#batches) {
      if (sequence < first || sequence > batch.last) continue;
      this.#batches.delete(first);
      this.#batches.set(first, batch);
      return batch.commands.get(sequence) ?? [];
    }
    const bytes = await this.#fetch(sequence);
    if (bytes === undefined)
      throw new TandemError('STATE_LOST', 'a change that the peer has not seen is not in the change list', {
        details: { sequence },
      });
    const batch = decodeBatch(bytes);
    const commands = bySequence(batch);
    this.#batches.set(batch.first, { last: batch.first + batch.changes - 1, commands });
    if (this.#batches.size > CACHED_BATCHES) this.#batches.delete(this.#batches.keys().next().value!);
    return commands.get(sequence) ?? [];
  }
}

function bySequence(batch: Batch): Map<number, OwnCommand[]> {
  const commands = new Map<number, OwnCommand[]>();
  for (const { sequence, command } of sequencedCommands(batch)) {
    const own = { ...command, sequence, timestamp: batch.timestamp };
    const sameChange = commands.get(sequence);
    if (sameChange) sameChange.push(own);
    else commands.set(sequence, [own]);
  }
  return commands;
}
