/** What a resolver is told of a batch's keys, and what it leaves to others. */

import type { DeliveredBatch } from '../protocol/batch.js';
import type { CommandNames } from '../redis-commands/command-names.js';
import type { RecordedEffect } from '../redis-commands/effect-code.js';
import type { KeyHash } from '../protocol/key-hash.js';
import type { KeyState, Lack } from '../protocol/messages/messages.js';
import type { EntryCommands } from './stream-entries.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { FieldCommands, KnownFields } from './field-lives.js';
import type { ListMemory } from './list-memory.js';
import type { LocalCommand } from '../pieces/piece.js';
import type { UnseenCommands } from '../local-writes/unseen-on-key.js';
import type { UnseenSet } from '../local-writes/unseen-sets.js';
import type { ExtraCommands, PayloadCommand } from '../protocol/payload.js';
import type { Life, Held } from './rules/rule-context.js';

export type KnownLife = Life & { readonly endedThrough: number };

export interface CommandPlannerOptions {
  readonly site: string;
  /** Names of the keys that say what is applied, and what is to be sent. */
  readonly applied: string;
  readonly out: string;
  /** What was written on a key here that the sender of the batch had not seen. */
  readonly ownOn: (key: PlacedKey) => Promise<UnseenCommands>;
  /** The own `SET` that is all a `SET` meets on a key; undefined where more is to be known. */
  readonly ownSetOn: (key: PlacedKey) => UnseenSet | undefined;
  /** The commands of an own change on a key; undefined when too many are asked for. */
  readonly commandsOf: (key: PlacedKey, own: UnseenSet) => Promise<readonly LocalCommand[] | undefined>;
  /** What stands at a key when the batch begins to be applied; undefined when nobody looked. */
  readonly heldAt: (key: PlacedKey) => Held | undefined;
  /** Whether nothing was written on a key here that the sender had not seen, and nobody looked at it. */
  readonly isUntouched: (key: PlacedKey) => boolean;
  /** Whether a key cannot be watched, and what its value here is known to lack. */
  readonly isHot: (key: PlacedKey) => boolean;
  readonly lackOf: (key: PlacedKey) => Lack;
  /** For a batch with a flush: the keys written here that its sender had not seen. */
  readonly writtenUnseen: readonly PlacedKey[];
  readonly memory: ListMemory;
  /** What is known of the lives of a key that own writes were made on. @param own those the sender had not seen */
  readonly lifeOf: (key: PlacedKey, own: UnseenCommands) => KnownLife;
  /** The same of the fields of a hash. */
  readonly fieldsOf: (key: PlacedKey, own: UnseenCommands) => KnownFields;
  readonly fields: FieldCommands;
  /** The last own sequence that is taken into account. */
  readonly decided: number;
  readonly extraCommands?: ExtraCommands | undefined;
  readonly names: CommandNames;
  /** Whether the key with this hash was written here by what the sender of the batch had not seen, as far as is known. */
  readonly isMet: (hash: KeyHash) => boolean;
  /** Whether all own changes of a key, which the sender had not seen, come out the same before or after one with this effect. */
  readonly commutes: (key: PlacedKey, effect: RecordedEffect) => boolean;
  /** Whether a command is on a member of a sorted set that was written here by what the sender had not seen. */
  readonly isOnOwnMember: (command: PayloadCommand) => boolean;
  /** The newest own change of a list, where a push with this effect goes past what was written here at its end; 0 where it does not. */
  readonly passedOn: (key: PlacedKey, effect: RecordedEffect) => number;
  /** How many own changes of a key there are. */
  readonly countOn: (key: PlacedKey) => number;
  /** Whether a late write was met wrongly on a key, and no state has come since. */
  readonly isMisplaced: (key: PlacedKey) => boolean;
  /** What runs for a command that commutes with all it meets: itself, or what puts an entry in its place. */
  readonly onEntries: EntryCommands;
  /** Where own entries begin that the sender of the batch had not seen, of a stream whose entries are added as they arrive. */
  readonly unseenFrom: (key: PlacedKey) => string;
  /** What runs here in place of a command on whole databases, but for `kept` keys; nothing for any other command. */
  readonly translate: (command: PayloadCommand, kept?: readonly PlacedKey[]) => Buffer | undefined;
  /** What runs here for a question of a comparison; nothing for an answer, which is taken note of. */
  readonly compare: (command: PayloadCommand, batch: DeliveredBatch) => Buffer | undefined;
  /** Whether this server takes what a state has the value of a key in. What it does not take is asked for as its elements. */
  readonly isTaken: (state: KeyState) => boolean;
  /** Whether this site leaves a key out: its own value of such a key is nobody's to replace but by a change. */
  readonly isExcluded: (key: PlacedKey) => boolean;
}
