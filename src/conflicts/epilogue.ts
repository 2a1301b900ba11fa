/** The commands of Tandem's own that follow a batch in its transaction: they list, send and ask. */

import type { DeliveredBatch } from '../protocol/batch.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { encodeDeadline } from '../protocol/messages/key-deadline.js';
import { encodeNeed, LACK, type Need } from '../protocol/messages/state-request.js';
import { STATE } from '../protocol/messages/state.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { scriptSource } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import type { PeerDumps } from '../redis/restorable.js';
import { conflictEntry } from './conflict-entry.js';
import type { PayloadCommand } from '../protocol/payload.js';
import { alike, type Rejected, type Resolved, type StateRequest } from './resolved.js';

/** A command of Tandem's own behind those of a batch, in the same transaction and in database 0. */
export interface EpilogueCommand {
  readonly bytes: Buffer;
  /** What does not come about when the command fails. */
  readonly purpose: 'state' | 'request' | 'conflict' | 'rejection';
  /** The keys whose state it sends or asks for. */
  readonly keys: readonly PlacedKey[];
}

export interface EpilogueOptions {
  readonly site: string;
  readonly keys: KeyNames;
  /** Entries the list of conflicts keeps, and bytes of each value in it. */
  readonly conflictsKept: number;
  readonly conflictValueBytes: number;
  /** Nothing of a key that the filters leave out is read for the peer. */
  readonly translator: { isExcluded(key: PlacedKey): boolean };
  readonly link: PeerDumps;
  /** Whether fields of a hash can expire here. */
  readonly fieldsExpire: boolean;
  readonly rejections: {
    /** The command that lists a command left out. */
    entry(batch: DeliveredBatch, command: PayloadCommand, error: string): Buffer;
  };
}

export function epilogueOf(
  batch: DeliveredBatch,
  resolved: Resolved,
  options: EpilogueOptions,
): EpilogueCommand[] {
  const { keys, conflictsKept, conflictValueBytes, translator, rejections } = options;
  const { rejected, states, conflicts, asked, asElements, notWhole } = resolved;
  const entry = { key: keys.conflicts, cap: conflictsKept, valueBytes: conflictValueBytes };
  return [
    ...rejected.map(({ command, error }) => ({
      bytes: rejections.entry(batch, command, error),
      purpose: 'rejection' as const,
      keys: [],
    })),
    ...refused(rejected, keys),
    ...states
      .filter((key) => !translator.isExcluded(key))
      .map((request) => ({ bytes: snapshot(request, options), purpose: 'state' as const, keys: [request] })),
    ...conflicts
      .filter(({ isListed }) => isListed)
      .map((conflict) => ({ bytes: conflictEntry(conflict, entry), purpose: 'conflict' as const, keys: [] })),
    ...alike(asked).map((request) => ({
      bytes: ask({ ...request[0]!, timestamp: batch.timestamp, keys: request }, keys),
      purpose: 'request' as const,
      keys: request,
    })),
    ...notWhole.map((key) => ({
      bytes: say({ timestamp: 0, lack: LACK.nothing, keys: [key] }, keys),
      purpose: 'request' as const,
      keys: [key],
    })),
    ...asElements.map((request) => ({
      bytes: say({ ...request, lack: LACK.nothing, asElements: true, keys: [request] }, keys),
      purpose: 'request' as const,
      keys: [request],
    })),
  ];
}

/** Writes a request, and what is said with it, where capture takes both out of the stream. */
export function say(need: Need, { out }: Pick<KeyNames, 'out'>, also: readonly Buffer[] = []): Buffer {
  const messages = Buffer.concat([encodeNeed(need), ...also]);
  return encodeCommand(['EVAL', scriptSource('write-message'), 1, out, messages]);
}

/**
 * The same at the end of a batch. A removal that was left out may have taken the last of a key, and its deadline with that: the peer is
 * told of the deadline that the key has here, so that its answer takes none away.
 */
function ask(need: Need, keys: Pick<KeyNames, 'out'>): Buffer {
  const leavesRemovals = need.lack === LACK.peerRemovals && need.isContended !== true;
  return say(need, keys, leavesRemovals ? need.keys.map(encodeDeadline) : []);
}

/** Counts the states of the peer's that are left out, where the peer can read it. */
function refused(rejected: readonly Rejected[], { site }: KeyNames): EpilogueCommand[] {
  const count = rejected.filter(({ command }) => command.name === STATE).length;
  const bytes = encodeCommand(['HINCRBY', site, 'refused', count]);
  return count === 0 ? [] : [{ bytes, purpose: 'rejection', keys: [] }];
}

function snapshot(
  { database, key, timestamp, since, asElements, isWhole }: StateRequest,
  { keys, site, link, fieldsExpire }: EpilogueOptions,
): Buffer {
  const about = [site, link.peerRestores, fieldsExpire ? 1 : 0];
  const what = [database, key, timestamp, since, asElements ? 1 : 0, isWhole ? 1 : 0];
  return encodeCommand(['EVAL', scriptSource('write-states'), 1, keys.out, ...about, ...what]);
}
