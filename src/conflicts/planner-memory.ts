/** Keeps what the planner needs from batch to batch: the questions to local writes, and what earlier batches came to. */

import { Allowance } from '../async/allowance.js';
import { BoundedMap } from '../async/bounded-map.js';
import { LocalChanges } from '../local-writes/local-changes.js';
import { Unseen } from '../local-writes/unseen.js';
import { UnseenCells } from '../local-writes/unseen-cells.js';
import { UnseenOnKey } from '../local-writes/unseen-on-key.js';
import { UnseenSets } from '../local-writes/unseen-sets.js';
import { CommandNames } from '../redis-commands/command-names.js';
import { ContendedKeys } from './contended-keys.js';
import { FieldCommands, FieldLives } from './field-lives.js';
import { FreeRuns } from './free-runs.js';
import { LifeMemory } from './life-memory.js';
import { ListMemory } from './list-memory.js';
import type { BatchPlannerOptions } from './plan-options.js';

/** Local `SET`s looked up in a second though their time would do: for the list of conflicts, and to be sure of the key. */
const LOOK_UPS_PER_SECOND = 100;
/** Conflicts of two `SET`s listed in a second: a list of 10,000 then goes back for ten seconds at the least. */
const SET_ENTRIES_PER_SECOND = 1000;

/** Keys remembered on which a late write was met wrongly. */
const MAX_MISPLACED = 10_000;

export class PlannerMemory {
  readonly names: CommandNames;
  readonly unseen: Unseen;
  readonly changes: LocalChanges;
  readonly commands: UnseenOnKey;
  readonly cells: UnseenCells;
  readonly sets: UnseenSets;
  readonly lookUps = new Allowance(LOOK_UPS_PER_SECOND);
  readonly setEntries = new Allowance(SET_ENTRIES_PER_SECOND);
  readonly contended = new ContendedKeys();
  readonly lists: ListMemory;
  readonly free: FreeRuns;
  readonly lives: LifeMemory;
  readonly fieldLives: FieldLives;
  readonly fields: FieldCommands;
  readonly #misplaced = new BoundedMap<string, true>(MAX_MISPLACED);

  constructor(options: BatchPlannerOptions) {
    const { site, peer, window, appended, deadlines, entries, extraCommands, keys } = options;
    this.names = new CommandNames(extraCommands);
    this.unseen = new Unseen(window, { isSenderFirst: peer < site });
    this.changes = new LocalChanges((sequence) => appended.fetch(sequence), extraCommands);
    this.commands = new UnseenOnKey({ site, window, changes: this.changes });
    this.cells = new UnseenCells(window, this.changes);
    const timestampOf = (sequence: number): number | undefined => appended.timestampOf(sequence);
    this.sets = new UnseenSets({ unseen: this.unseen, timestampOf });
    this.lists = new ListMemory(options.appliedAtStart, options.notedAtStart);
    this.free = new FreeRuns({ unseen: this.unseen, memory: this.lists, deadlines, entries });
    this.lives = new LifeMemory(deadlines, appended.appendedThrough);
    this.fieldLives = new FieldLives(deadlines.fields, appended.appendedThrough);
    this.fields = new FieldCommands(deadlines.fields, keys.out, (key) => this.unseen.hashOf(key));
  }

  /** The peer has seen the local writes up to `seen`. */
  advance(seen: number): void {
    this.lists.advance(seen);
    this.lives.advance(seen);
  }

  /** A late write was met wrongly on a key: until a state comes, its value may lack an element that no command took. */
  misplaced(name: string): void {
    this.#misplaced.set(name, true);
  }

  isMisplaced(name: string): boolean {
    return this.#misplaced.has(name);
  }

  /** The value of a key is the peer's now, with local writes on it. */
  settled(name: string): void {
    this.contended.settled(name);
    this.#misplaced.delete(name);
  }
}
