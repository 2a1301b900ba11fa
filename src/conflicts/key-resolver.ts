/** Asks the rules what runs on one key in place of a command, and writes down what that came to. */

import { type ConflictOutcome, together } from '../observe/conflict-outcome.js';
import type { Piece } from '../pieces/piece.js';
import { piecesOf } from '../pieces/pieces.js';
import type { DeliveredBatch } from '../protocol/batch.js';
import { nameOf, type PayloadCommand } from '../protocol/payload.js';
import { isKeyRemoval } from '../protocol/removals.js';
import type { Argument } from '../redis-commands/encode-command.js';
import { removes } from './attempts.js';
import type { FieldCommands } from './field-lives.js';
import type { PlannedKey } from './planned-key.js';
import { metBy } from './planned-keys.js';
import type { Conflict } from './resolved.js';
import { resolve } from './rules/resolve.js';
import type { Sent } from './sent.js';

export class KeyResolver {
  readonly conflicts: Conflict[] = [];
  /** How many more removals of keys are sent than the batch says, by database and name. */
  readonly removed = new Map<string, number>();
  readonly #batch: DeliveredBatch;
  readonly #sent: Sent;
  readonly #fields: FieldCommands;
  readonly #noted = new Set<PlannedKey>();

  constructor(batch: DeliveredBatch, sent: Sent, fields: FieldCommands) {
    this.#batch = batch;
    this.#sent = sent;
    this.#fields = fields;
  }

  /** The parts of a command on one key, in the terms of the rules. */
  piecesOn(command: PayloadCommand, { key }: PlannedKey): Piece[] {
    const { timestamp, origin: site, seen } = this.#batch;
    return piecesOf({ command, timestamp, site, sequence: 0, seen }, key.key);
  }

  /** Resolves the pieces of a command on a key, and sends what they come to. */
  meet(command: PayloadCommand, run: PlannedKey, pieces = this.piecesOn(command, run)): ConflictOutcome {
    const outcomes: ConflictOutcome[] = [];
    const commands: (readonly Argument[])[] = [];
    let doubt: readonly Argument[] | undefined;
    for (const piece of pieces) {
      const resolution = resolve(run.context, piece);
      run.settled(piece, resolution);
      const changed = resolution.life?.field ? [resolution.life.field] : [];
      this.#fields.told(run.key, changed, this.#batch);
      if (resolution.insert) this.#sent.insert(command, run.key, resolution.insert);
      for (const one of resolution.commands) commands.push(one);
      doubt = resolution.doubt ?? doubt;
      outcomes.push(resolution.asks === true ? 'state-asked' : resolution.outcome);
    }
    const more = commands.filter(removes).length - (isKeyRemoval(command) ? 1 : 0);
    const name = nameOf(run.key);
    if (more !== 0) this.removed.set(name, (this.removed.get(name) ?? 0) + more);
    if (commands.length > 0 || doubt) {
      const all = doubt ? [...commands, doubt] : commands;
      this.#sent.attempt(command, all, [run.key]);
    }
    const outcome = together(outcomes);
    this.note(command, run, outcome);
    return outcome;
  }

  /** Notes the conflict of a command with the local writes on a key, if there is one. */
  note(command: PayloadCommand, run: PlannedKey, outcome: ConflictOutcome): void {
    const met = metBy(command, run, { outcome, theirTimestamp: this.#batch.timestamp });
    if (!met) return;
    // A contended key is listed once, or it would soon fill the list.
    this.conflicts.push({ ...met, isListed: !run.isContended || !this.#noted.has(run) });
    this.#noted.add(run);
  }
}
