/**
 * Members of sorted sets that this site has written and the peer may not have seen. Writes on different members commute. So they run
 * without a look at the local commands, and a write that slips in on another member is no late write.
 */

import { commandSpec, namedCells } from '../redis-commands/command-table.js';
import { KeyHash } from '../protocol/key-hash.js';
import type { Range } from './range.js';
import type { PayloadCommand } from '../protocol/payload.js';
import { Window } from './window.js';

/** Members held, 24 bytes each. Of earlier ones it is unknown whether they were written. */
const MAX_MEMBERS = 1 << 18;
/** Local commands between two clean-ups. */
const COMMANDS_PER_CLEANUP = 256;

type Named = Pick<PayloadCommand, 'name' | 'args' | 'database'>;

export class UnseenMembers {
  readonly #letGo: () => number;
  readonly #window = new Window({ recentMs: 0, maxEntries: MAX_MEMBERS });
  readonly #key = new KeyHash();
  readonly #hash = new KeyHash();
  #countdown = COMMANDS_PER_CLEANUP;

  /** @param letGo the highest sequence that no change of the peer's is held against any more */
  constructor(letGo: () => number) {
    this.#letGo = letGo;
  }

  /** Notes a local command. */
  record(command: Named, sequence: number): void {
    this.#some(command, ({ low, high }) => {
      this.#window.record(low, high, sequence, 0);
      return false;
    });
    if (--this.#countdown > 0) return;
    this.#countdown = COMMANDS_PER_CLEANUP;
    this.#window.advance(this.#letGo());
  }

  /** Whether a command is on a member that local changes in a range have written, or may have. */
  isOn(command: Named, { seen, decided }: Range): boolean {
    if (this.#window.droppedThrough > seen || this.#letGo() > seen) return true;
    return this.#some(command, ({ low, high }) => {
      let entry = this.#window.newest(low, high);
      while (entry >= 0 && this.#window.sequenceOf(entry) > decided) entry = this.#window.older(entry);
      return entry >= 0 && this.#window.sequenceOf(entry) > seen;
    });
  }

  /** Whether something holds for one of the members that a command names. */
  #some({ name, args, database }: Named, holds: (hash: KeyHash) => boolean): boolean {
    const spec = commandSpec(name);
    if (spec === undefined || args.length < 2) return false;
    this.#key.of(database, args[1]!, 0, args[1]!.length);
    return namedCells(spec, args).some((index) => {
      const member = args[index]!;
      this.#hash.of(this.#key.low ^ this.#key.high, member, 0, member.length);
      return holds(this.#hash);
    });
  }
}
