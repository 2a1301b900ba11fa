/**
 * The commands of local changes that the peer may not have seen. The window knows the changes by sequence, and the change list holds
 * their bytes. A batch is scanned once for the places of its changes. Only a change that is asked for is taken apart.
 */

import { decodeBatch, lastSequence, type Batch } from '../protocol/batch.js';
import { ChangeEnds } from '../protocol/change-ends.js';
import { CommandReader } from '../redis-commands/command-reader.js';
import { TandemError } from '../errors.js';
import { isSelect, payloadCommands, type ExtraCommands, keysOf } from '../protocol/payload.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { LocalCommand } from '../pieces/piece.js';

/** A batch with the places of its changes. */
interface Scanned {
  readonly batch: Batch;
  /** Where each change starts in the payload; one more for the end. */
  readonly starts: Float64Array;
  /** The database selected where each change starts. */
  readonly databases: Int32Array;
}

/** Bytes of scanned batches in memory, 64 KiB each as a rule. The latest one is kept whatever its size. */
const CACHED_BYTES = 24 * 1024 * 1024;
/** Changes kept taken apart, and their bytes. Batch after batch meets the same changes, until the peer has seen them. */
const KNOWN_CHANGES = 16_384;
const KNOWN_BYTES = 8 * 1024 * 1024;

/** A change taken apart. It holds a copy of its own bytes, or it would keep its whole batch in memory. */
interface Known {
  readonly commands: readonly LocalCommand[];
  readonly bytes: number;
}

export class LocalChanges {
  readonly #fetch: (sequence: number) => Promise<Buffer | undefined>;
  readonly #extra: ExtraCommands | undefined;
  /** By first sequence, the least lately used first. */
  readonly #batches = new Map<number, Scanned>();
  /** The first sequences in order: a site that is behind has thousands of small batches. */
  readonly #firsts: number[] = [];
  #latest: Scanned | undefined;
  /** By sequence, oldest lookup first. */
  readonly #known = new Map<number, Known>();
  #cachedBytes = 0;
  #knownBytes = 0;

  /** @param fetch reads the batch of the change list that holds a sequence */
  constructor(fetch: (sequence: number) => Promise<Buffer | undefined>, extra?: ExtraCommands) {
    this.#fetch = fetch;
    this.#extra = extra;
  }

  /** The commands of a local change. @throws TandemError STATE_LOST when it is in the change list no more */
  async commandsOf(sequence: number): Promise<readonly LocalCommand[]> {
    const known = this.#known.get(sequence);
    if (known) return known.commands;
    const taken = await this.#takeApart(sequence);
    this.#known.set(sequence, taken);
    this.#knownBytes += taken.bytes;
    while (this.#known.size > 1 && (this.#known.size > KNOWN_CHANGES || this.#knownBytes > KNOWN_BYTES)) {
      const [oldest, { bytes }] = this.#known.entries().next().value!;
      this.#known.delete(oldest);
      this.#knownBytes -= bytes;
    }
    return taken.commands;
  }

  async #takeApart(sequence: number): Promise<Known> {
    const { batch, starts, databases } = this.#cached(sequence) ?? (await this.#scan(sequence));
    const at = sequence - batch.first;
    const payload = Buffer.from(batch.payload.subarray(starts[at], starts[at + 1]));
    const commands: LocalCommand[] = [];
    for (const command of payloadCommands(payload, {
      selected: databases[at] ?? 0,
      extra: this.#extra,
    })) {
      const { timestamp, seen } = batch;
      const batchEnd = lastSequence(batch);
      if (command.name !== 'SELECT') commands.push({ ...command, sequence, batchEnd, timestamp, seen });
    }
    return { commands, bytes: payload.length };
  }

  #cached(sequence: number): Scanned | undefined {
    if (this.#latest && holds(this.#latest, sequence)) return this.#latest;
    const first = this.#firsts[placeAbove(this.#firsts, sequence) - 1];
    const scanned = first === undefined ? undefined : this.#batches.get(first);
    if (!scanned || !holds(scanned, sequence)) return undefined;
    this.#batches.delete(scanned.batch.first);
    this.#batches.set(scanned.batch.first, scanned);
    return (this.#latest = scanned);
  }

  async #scan(sequence: number): Promise<Scanned> {
    const bytes = await this.#fetch(sequence);
    if (bytes === undefined)
      throw new TandemError('STATE_LOST', 'a change that the peer has not seen is not in the change list', {
        details: { sequence },
      });
    const batch = decodeBatch(bytes);
    const scanned = { batch, ...changePlaces(batch) };
    // Two questions about one batch may have waited for it.
    if (!this.#batches.has(batch.first)) {
      this.#firsts.splice(placeAbove(this.#firsts, batch.first), 0, batch.first);
      this.#cachedBytes += batch.payload.length;
    }
    this.#batches.set(batch.first, scanned);
    while (this.#batches.size > 1 && this.#cachedBytes > CACHED_BYTES) {
      const [oldest, least] = this.#batches.entries().next().value!;
      this.#batches.delete(oldest);
      this.#firsts.splice(placeAbove(this.#firsts, oldest) - 1, 1);
      this.#cachedBytes -= least.batch.payload.length;
    }
    return (this.#latest = scanned);
  }
}

/** The place of the first number in a rising list that is above another one. */
function placeAbove(numbers: readonly number[], number: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! > number) high = middle;
    else low = middle + 1;
  }
  return low;
}

function holds({ batch }: Scanned, sequence: number): boolean {
  return sequence >= batch.first && sequence < batch.first + batch.changes;
}

function changePlaces(batch: Batch): { starts: Float64Array; databases: Int32Array } {
  const starts = new Float64Array(batch.changes + 1);
  const databases = new Int32Array(batch.changes);
  const ends = new ChangeEnds(batch.groups);
  const reader = new CommandReader();
  reader.push(batch.payload);
  let database = 0;
  let change = 0;
  for (let index = 0; reader.next(); index++) {
    const selects = isSelect(reader);
    if (selects) database = Number(reader.argument(1).toString('latin1'));
    const isEnd = ends.isEnd(index, selects);
    // A command that stands between two changes moves the start of the next one.
    if (!isEnd && !(selects && ends.isOutside(index))) continue;
    if (isEnd) change++;
    starts[change] = reader.consumed;
    if (change < batch.changes) databases[change] = database;
  }
  return { starts, databases };
}

/** Whether a command writes, reads or requests a key. The commands of one transaction may be on different keys. */
export function touches(command: LocalCommand, { database, key }: PlacedKey): boolean {
  return keysOf(command, 'all').some((one) => one.database === database && one.key.equals(key));
}
