/** In what other words a local command is sent, for what is known here of the value it was run on. */

import type { KnownName } from '../redis-commands/command-names.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import type { Effect } from '../redis-commands/command-table.js';
import type { LocalWriteNotes } from './change-sink.js';
import { PoppedSets } from './popped-sets.js';
import type { Verdict } from './selection.js';
import { StreamLengths } from './stream-lengths.js';

/** The command that is sent in the place of another. */
export interface Reworded {
  readonly name: 'ZREM' | 'XADD';
  /** The name first. */
  readonly args: Buffer[];
  readonly effect: Effect;
}

export class Rewording {
  readonly #popped: PoppedSets;
  readonly #lengths = new StreamLengths();

  constructor(writes: Pick<LocalWriteNotes, 'popped'>) {
    this.#popped = new PoppedSets(writes);
  }

  /** A local command that is sent as it is, and lies in the reader, has run. */
  passed(reader: CommandReader, known: KnownName, database: number): void {
    this.#popped.passed(reader, known, database);
    this.#lengths.passed(reader, known, database);
  }

  /** A command of the peer's has come round. */
  echoed(reader: CommandReader, known: KnownName, database: number): void {
    this.#popped.echoed(reader, known, database);
    this.#lengths.echoed(reader, known, database);
  }

  /** An applied transaction has ended. */
  endEcho(): void {
    this.#lengths.endEcho();
  }

  /**
   * A local command has run.
   * @param args the name first
   * @param verdict on the command
   */
  ran(
    known: KnownName,
    args: readonly Buffer[],
    database: number,
    verdict: Pick<Verdict, 'skip' | 'special'>,
  ): Reworded | undefined {
    if (verdict.special) return undefined;
    const removal = this.#popped.ran(known, args, database, verdict.skip === undefined);
    if (removal) return { name: 'ZREM', args: removal, effect: 'member-remove' };
    const addition = this.#lengths.ran(known, args, database);
    return addition && { name: 'XADD', args: addition, effect: 'entry' };
  }

  /** Whether a message tells the members of a set. It is taken note of. @param args the name first */
  told(args: readonly Buffer[]): boolean {
    return this.#popped.told(args);
  }
}
