/**
 * What becomes of the peer's changes here. Nearly always nothing but their application as they are: a batch none of whose
 * keys was written here without the peer knowing goes through untouched. The others are resolved, command by command.
 */

import { lastSequence, type DeliveredBatch } from '../change/batch.js';
import { CommandNames } from '../change/command-names.js';
import { encodeCommand } from '../change/encode-command.js';
import type { KeyHash } from '../change/key-hash.js';
import { encodeNeed, LACK, type Lack, type PlacedKey } from '../change/special.js';
import { scriptSource } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import type { PlacedError } from '../redis/reply-reader.js';
import { Allowance } from './allowance.js';
import { conflictEntry } from './conflict-entry.js';
import { HotKeys } from './hot-keys.js';
import { ListMemory } from './list-memory.js';
import { OwnChanges } from './own-changes.js';
import type { Inspection, Inspector } from './inspector.js';
import { Looks, NOTHING_TO_LOOK_AT, type Look, type Looked, type LookUp } from './looks.js';
import { OwnCells } from './own-cells.js';
import { NOTHING_ON_KEY, OwnOnKey, touches, type OwnOn, type Range } from './own-on-key.js';
import { OwnSets, type OwnSet } from './own-sets.js';
import {
  forEachKey,
  keysOf,
  nameOf,
  payloadCommands,
  type ExtraCommands,
  type PayloadCommand,
} from './payload.js';
import type { Asked, Conflict, Rejected, Resolved, StateRequest } from './resolved.js';
import { Resolver } from './resolver.js';
import { Unseen } from './unseen.js';
import type { Window } from './window.js';

/** A command of Tandem's own behind those of a batch, in the same transaction and in database 0. */
export interface EpilogueCommand {
  readonly bytes: Buffer;
  /** What is amiss when it fails. */
  readonly purpose: 'state' | 'request' | 'conflict' | 'rejection';
  /** The keys whose state it sends or asks for. */
  readonly keys: readonly PlacedKey[];
}

/** What is to be sent for a batch. */
export interface Decision {
  /** RESP bytes of the commands. */
  readonly payload: readonly Buffer[];
  /** How many commands those are. */
  readonly commands: number;
  /** Place of each of them among the batch's commands; nothing when they are the batch's, one by one. */
  readonly origins?: readonly number[];
  /** Further ones that a command sent stands for, by its place among those sent. */
  readonly gathered?: ReadonlyMap<number, readonly number[]>;
  /** To be called when it is applied. */
  readonly applied?: () => void;
  /** What follows them: states to be sent, conflicts and commands left out to be listed. */
  readonly epilogue: readonly EpilogueCommand[];
  /** Commands left out, which the epilogue lists. */
  readonly rejected: readonly Rejected[];
  /** Places of states among the batch's commands that are not applied now; nothing where all are. */
  readonly dropped?: ReadonlySet<number>;
  /** Names the keys on which nothing is done because the value of this site stays, as a `TANDEM.NEED` would; empty for none. */
  readonly kept?: Buffer | undefined;
  /** The last local sequence that was taken into account. */
  readonly decided: number;
}

/** What the decider needs from the other stages. */
export interface DeciderOptions {
  readonly site: string;
  readonly keys: KeyNames;
  readonly window: Window;
  /** Entries the list of conflicts keeps, and bytes of each value in it. */
  readonly conflictsKept: number;
  readonly conflictValueBytes: number;
  /** The peer's newest sequence that was applied here when the process began. */
  readonly appliedAtStart: number;
  /** Sequence of the last local change capture has met. */
  readonly capturedThrough: () => number;
  /** Sequence of the last local change that is in the change list. */
  readonly appendedThrough: () => number;
  /** Waits until the local changes up to a sequence are in the change list: then their timestamps are final. */
  readonly appended: (sequence: number, signal: AbortSignal) => Promise<void>;
  /** The batch of the change list that holds a change. */
  readonly fetch: (sequence: number) => Promise<Buffer | undefined>;
  /** When a change in the change list was made. */
  readonly timestampOf: (sequence: number) => number | undefined;
  /** What runs here in place of a command on whole databases; nothing for any other command. */
  readonly translate: (command: PayloadCommand) => Buffer | undefined;
  /** What runs here for a question of a comparison; nothing for an answer, which is taken note of. */
  readonly compare: (command: PayloadCommand, batch: DeliveredBatch) => Buffer | undefined;
  readonly inspector: Inspector;
  /** Rows for commands that only this server knows. */
  readonly extraCommands: ExtraCommands;
  /** The command that lists a command left out. */
  readonly rejection: (batch: DeliveredBatch, command: PayloadCommand, error: string) => Buffer;
  /** A batch was decided and is about to be applied. */
  readonly onDecided: (batch: DeliveredBatch, how?: HowDecided) => void;
  /** A change met one its sender had not seen. */
  readonly onConflict: (conflict: Conflict) => void;
}

/** Keys of a batch, by database and name. */
export interface HowDecided {
  /** Those that the rules remove, whole or in part. */
  readonly removed: ReadonlySet<string>;
  /** Those that the peer is being asked for in any case, and what is to be told of a late write on them. */
  readonly awaited: ReadonlyMap<string, () => void>;
}

/** Own `SET`s that are looked up in a second although their time would do: for the list of conflicts, and to be sure of the key. */
const LOOK_UPS_PER_SECOND = 500;

/** Batches whose refused commands are remembered: more than are ever on the way at a time. */
const MAX_LEFT_OUT = 64;

/** The server's words for a command it does not have: it will not have it in the next batch either. */
const UNKNOWN_COMMAND = /^ERR unknown (command|subcommand)/i;

interface Terms extends Looked {
  readonly leftOut: ReadonlyMap<number, string>;
  readonly decided: number;
  readonly isBlind: boolean;
}

export class Decider {
  readonly #options: DeciderOptions;
  readonly #names: CommandNames;
  readonly #unseen: Unseen;
  readonly #looks: Looks;
  readonly #hotKeys = new HotKeys();
  readonly #ownSets: OwnSets;
  readonly #changes: OwnChanges;
  readonly #lookUps = new Allowance(LOOK_UPS_PER_SECOND);
  readonly #own: OwnOnKey;
  readonly #ownCells: OwnCells;
  readonly #memory: ListMemory;
  /** Commands the server refused to queue, with its words, by the batch's last sequence. */
  readonly #leftOut = new Map<number, ReadonlyMap<number, string>>();

  constructor(options: DeciderOptions) {
    this.#options = options;
    this.#names = new CommandNames(options.extraCommands);
    const { site, window, fetch, extraCommands, timestampOf } = options;
    this.#unseen = new Unseen(window);
    this.#ownSets = new OwnSets({ unseen: this.#unseen, timestampOf });
    this.#looks = new Looks({
      ...options,
      names: this.#names,
      unseen: this.#unseen,
      hotKeys: this.#hotKeys,
      ownSets: this.#ownSets,
    });
    this.#changes = new OwnChanges(fetch, extraCommands);
    this.#own = new OwnOnKey({ site, window, changes: this.#changes });
    this.#ownCells = new OwnCells(window, this.#changes);
    this.#memory = new ListMemory(options.appliedAtStart);
  }

  /**
   * What is to be sent for this batch, given what has been written here up to now. Undefined when keys must be looked at, and
   * `look` is not given: then nothing else may be on the way.
   * @throws TandemError BATCH_INVALID when it may not be applied at all
   */
  async decide(batch: DeliveredBatch, signal: AbortSignal, look?: Look): Promise<Decision | undefined> {
    const { window, capturedThrough, appendedThrough, appended, onDecided, inspector } = this.#options;
    const inspection = inspector.inspect(batch);
    this.#ownSets.begin(batch, capturedThrough());
    const leftOut = this.#leftOutOf(batch, inspection);
    const isBlind = window.isBlindAbove(batch.seen);
    const unseen = isBlind ? 0 : this.#newestUnseen(batch, capturedThrough());
    // What is not in the change list yet may get another number after a restart; the marker must name one that stays.
    const isPlain = leftOut.size === 0 && inspection.special === 0 && !inspection.isLate;
    if (unseen === 0 && isPlain && !isBlind) {
      onDecided(batch);
      return {
        payload: [batch.payload],
        commands: batch.commands,
        epilogue: [],
        rejected: [],
        decided: appendedThrough(),
        applied: () => this.#memory.advance(batch.seen),
      };
    }
    await appended(unseen, signal);
    // Nothing rests on anything: what slips in is found when the marker comes round, as with any other change.
    const isFree = isBlind || (unseen === 0 && !inspection.asks);
    const looked = isFree ? NOTHING_TO_LOOK_AT : await this.#looks.take(batch, signal, look);
    if (!looked) return undefined;
    const terms = { leftOut, decided: appendedThrough(), isBlind, ...looked };
    const resolved = await this.#resolve(batch, terms);
    onDecided(batch, { removed: resolved.removed, awaited: this.#awaited(resolved) });
    return this.#decision(batch, resolved, terms);
  }

  /** On a key that is asked for a late write is no more than a value that may have lost it. */
  #awaited({ hot }: Resolved): Map<string, () => void> {
    const awaited = new Map<string, () => void>();
    for (const [name, { isInRequest, isExposed }] of hot)
      if (isInRequest) awaited.set(name, () => isExposed && this.#hotKeys.lacks(name, LACK.own));
    return awaited;
  }

  /** The server would not queue these commands of a decision: they are left out when the batch is decided again. */
  leaveOut(batch: DeliveredBatch, decision: Decision, errors: readonly PlacedError[]): void {
    const last = lastSequence(batch);
    const leftOut = new Map(this.#leftOut.get(last));
    // A decision may have left out commands already: an error's index counts what was sent.
    for (const { index, error } of errors) leftOut.set(decision.origins?.[index] ?? index, error.message);
    this.#leftOut.set(last, leftOut);
    for (const { index, name } of payloadCommands(batch.payload)) {
      const error = leftOut.get(index);
      if (error !== undefined && UNKNOWN_COMMAND.test(error)) this.#options.inspector.refuse(name, error);
    }
    if (this.#leftOut.size > MAX_LEFT_OUT) this.#leftOut.delete(this.#leftOut.keys().next().value!);
  }

  /** The request for the state of keys, to be written where capture takes it out of the stream. */
  askFor(
    batch: DeliveredBatch,
    keys: readonly PlacedKey[],
    { lack = LACK.nothing, isHot = false }: { lack?: Lack; isHot?: boolean } = {},
  ): Buffer {
    const { out } = this.#options.keys;
    const request = encodeNeed({ timestamp: batch.timestamp, lack, isHot, keys });
    return encodeCommand(['EVAL', scriptSource('say'), 1, out, request]);
  }

  #leftOutOf(batch: DeliveredBatch, { leftOut }: Inspection): ReadonlyMap<number, string> {
    const refused = this.#leftOut.get(lastSequence(batch));
    return refused === undefined ? leftOut : new Map([...leftOut, ...refused]);
  }

  /** The newest own sequence, up to `decided`, that a key of the batch meets; 0 when there is none. */
  #newestUnseen(batch: DeliveredBatch, decided: number): number {
    const { window } = this.#options;
    if (window.firstAbove(batch.seen) === window.head) return 0;
    let newest = 0;
    const each = (hash: KeyHash): void => {
      newest = Math.max(newest, this.#unseen.newestAt(hash, { seen: batch.seen, decided }));
    };
    forEachKey({ batch, names: this.#names, extra: this.#options.extraCommands, each });
    return newest;
  }

  #resolve(batch: DeliveredBatch, { leftOut, decided, isBlind, held, hot }: Terms): Promise<Resolved> {
    const { site, keys, translate, compare, extraCommands, capturedThrough } = this.#options;
    const range = { seen: batch.seen, decided };
    const commuting = new Map<string, boolean>();
    const ownSets = new Map<string, OwnSet | undefined>();
    const isLookedAt = (key: PlacedKey): boolean => held.has(nameOf(key)) || hot.has(nameOf(key));
    if (isBlind) this.#ownSets.builtOnAll(decided);
    const resolver = new Resolver(batch, {
      site,
      // A batch may write one key hundreds of times, and as many own changes may stand against it: they are looked up once.
      commutes: (key, effect) => {
        const name = `${effect} ${nameOf(key)}`;
        const known = commuting.get(name) ?? (!isBlind && this.#unseen.commutes(key, effect, range));
        commuting.set(name, known);
        return known;
      },
      applied: keys.applied,
      out: keys.out,
      translate: (command) => {
        const whole = translate(command);
        if (whole) {
          this.#ownSets.builtOnAll(capturedThrough());
          ownSets.clear();
        }
        return whole;
      },
      compare,
      extraCommands,
      memory: this.#memory,
      heldAt: (key) => held.get(nameOf(key)),
      isHot: (key) => hot.has(nameOf(key)),
      lackOf: (key) => this.#hotKeys.lackOf(nameOf(key)),
      isUntouched: (key) => !isBlind && !isLookedAt(key) && this.#unseen.newestOn(key, range) === 0,
      names: this.#names,
      // Of a key that is too hot to be watched it may be unknown that it was written.
      isMet: (hash) => isBlind || hot.size > 0 || this.#unseen.newestAt(hash, range) !== 0,
      ownSetOn: (key) => {
        const name = nameOf(key);
        if (!ownSets.has(name))
          ownSets.set(name, isBlind || isLookedAt(key) ? undefined : this.#ownSets.find(key, range));
        return ownSets.get(name);
      },
      commandsOf: async (key, { sequence }) => {
        if (!this.#lookUps.take()) return undefined;
        const commands = await this.#changes.commandsOf(sequence);
        return commands.filter((command) => touches(command, key));
      },
      ownOn: async (key) => {
        const own = await this.#ownOn(key, { range, isBlind, lookUp: hot.get(nameOf(key)) ?? 'all' });
        if (own.isTouched) this.#ownSets.builtOn(key, range);
        return own;
      },
    });
    return resolver.resolve(leftOut);
  }

  async #ownOn(
    key: PlacedKey,
    { range, isBlind, lookUp }: { range: Range; isBlind: boolean; lookUp: LookUp },
  ): Promise<OwnOn> {
    if (isBlind) return NOTHING_ON_KEY;
    if (lookUp === 'all') return this.#own.find(key, this.#unseen.hashOf(key), range);
    const known = { ...NOTHING_ON_KEY, isTouched: true, isAsking: this.#unseen.isAsking(key, range) };
    if (lookUp === 'nothing') return known;
    return { ...known, isOnCell: await this.#ownCells.find(key, this.#unseen.hashOf(key), range) };
  }

  #decision(batch: DeliveredBatch, resolved: Resolved, { decided, isBlind, held }: Terms): Decision {
    const { keys, onConflict, conflictsKept, conflictValueBytes, rejection } = this.#options;
    const { payload, origins, gathered, conflicts, states, places, rejected, dropped, kept } = resolved;
    for (const conflict of conflicts) onConflict(conflict);
    for (const [name, { lack }] of resolved.hot) this.#hotKeys.lacks(name, lack);
    const entry = { key: keys.conflicts, cap: conflictsKept, valueBytes: conflictValueBytes };
    const asked = isBlind ? this.#writtenBy(batch) : resolved.asked;
    const epilogue: EpilogueCommand[] = [
      ...rejected.map(({ command, error }) => ({
        bytes: rejection(batch, command, error),
        purpose: 'rejection' as const,
        keys: [],
      })),
      ...states.map((request) => ({
        bytes: this.#snapshot(request),
        purpose: 'state' as const,
        keys: [request],
      })),
      ...conflicts
        .filter(({ isListed }) => isListed)
        .map((conflict) => ({
          bytes: conflictEntry(conflict, entry),
          purpose: 'conflict' as const,
          keys: [],
        })),
      ...alike(asked).map((request) => ({
        bytes: this.askFor(batch, request, request[0]),
        purpose: 'request' as const,
        keys: request,
      })),
    ];
    return {
      payload,
      commands: origins.length,
      origins,
      gathered,
      epilogue,
      rejected,
      dropped,
      kept: kept.length === 0 ? undefined : encodeNeed({ timestamp: 0, lack: LACK.nothing, keys: kept }),
      decided,
      applied: () => {
        for (const name of held.keys()) this.#hotKeys.cooled(name);
        for (const name of resolved.settled) this.#hotKeys.settled(name);
        this.#memory.commit(places, lastSequence(batch));
        this.#memory.advance(batch.seen);
      },
    };
  }

  /** The window has lost what was written here while the peer was away: nothing can be decided on any key of the batch. */
  #writtenBy(batch: DeliveredBatch): Asked[] {
    const { extraCommands: extra } = this.#options;
    return [...payloadCommands(batch.payload, { extra })].flatMap((command) =>
      keysOf(command, 'written').map((key) => ({ ...key, lack: LACK.own, isHot: false })),
    );
  }

  #snapshot({ database, key, timestamp, since }: StateRequest): Buffer {
    const { keys, site } = this.#options;
    return encodeCommand([
      'EVAL',
      scriptSource('snapshot'),
      1,
      keys.out,
      site,
      database,
      key,
      timestamp,
      since,
    ]);
  }
}

/** Keys that can be asked for together. */
function alike(asked: readonly Asked[]): Asked[][] {
  const requests = new Map<string, Asked[]>();
  for (const one of asked) {
    const kind = `${one.lack} ${one.isHot}`;
    const request = requests.get(kind);
    if (request) request.push(one);
    else requests.set(kind, [one]);
  }
  return [...requests.values()];
}
