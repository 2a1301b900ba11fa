/** A site with strings for data, planned by the real planner and run without a server. */

import { keysNamed } from '../../src/capture/internal-commands.js';
import { BatchPlanner, type BatchPlan } from '../../src/conflicts/plan-batch.js';
import type { Conflict } from '../../src/conflicts/resolved.js';
import { NOTHING, OTHER } from '../../src/conflicts/rules/rule-context.js';
import type { Look } from '../../src/conflicts/watched-keys.js';
import { LocalEntries } from '../../src/local-writes/local-entries.js';
import { loadIntoWindow } from '../../src/local-writes/window-loader.js';
import { Window } from '../../src/local-writes/window.js';
import { scriptSource } from '../../src/lua/scripts.js';
import { decodeBatch, encodeBatch, type DeliveredBatch } from '../../src/protocol/batch.js';
import { encodeNeed, LACK } from '../../src/protocol/messages/state-request.js';
import { payloadCommands } from '../../src/protocol/payload.js';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { KEYS } from '../unit/capture/stream-story.js';
import { resp } from '../unit/redis-commands/chunks.js';
import type { Random } from './model/random.js';
import { planning, TAKES_ALL } from './planning.js';

const NEVER = new AbortController().signal;
const SERVER = {
  writes: new Map(),
  names: new Set(['SELECT', 'SET', 'INCRBY', 'APPEND', 'DEL', 'MSET', 'FLUSHALL']),
};

/** What a batch of the peer's says of itself. */
export interface Told {
  readonly epoch: number;
  readonly first: number;
  readonly timestamp: number;
  readonly seen: number;
}

/** A site with strings for data: local writes and batches of the peer's go in, one by one. */
export class StringSite {
  readonly data = new Map<string, string>();
  /** The last local write in the change list; all of them by default. */
  appended = Infinity;
  /** Keys that the last batch would have set, had this site not a later value. */
  kept: string[] = [];
  readonly conflicts: Conflict[] = [];
  readonly answers: (readonly Buffer[])[] = [];
  /** `SET`s that were ranked by the time of a local one. */
  ranked = 0;
  readonly #window = new Window({ recentMs: 0, maxEntries: 10_000, now: () => 0 });
  readonly #entries = new LocalEntries(() => 0);
  readonly #own: { readonly bytes: Buffer; readonly timestamp: number }[] = [];
  readonly #planner: BatchPlanner;

  /** @param ranks whether it may rank a `SET` by the time of a local one */
  constructor(ranks: boolean) {
    const own = this.#own;
    const appendedThrough = (): number => Math.min(own.length, this.appended);
    const timestampOf = (sequence: number): number | undefined => {
      if (!ranks) return undefined;
      this.ranked++;
      return own[sequence - 1]?.timestamp;
    };
    this.#planner = new BatchPlanner(
      planning(KEYS, SERVER, {
        window: this.#window,
        entries: this.#entries,
        captured: {
          get capturedThrough() {
            return own.length;
          },
        },
        appended: {
          get appendedThrough() {
            return appendedThrough();
          },
          waitFor: () => Promise.resolve(),
          fetch: (sequence) => Promise.resolve(own[sequence - 1]?.bytes),
          timestampOf,
        },
        translator: {
          ...TAKES_ALL,
          translate: ({ name }) => (name === 'FLUSHALL' ? encodeCommand(['FLUSHALL']) : undefined),
        },
        events: {
          conflict: (conflict) => this.conflicts.push(conflict),
          answered: (args) => this.answers.push(args),
        },
      }),
    );
  }

  get written(): number {
    return this.#own.length;
  }

  /** A late write was found: the key is asked for, since a value of the peer's stands where a local one should. */
  lose(key: string, timestamp: number, theirs: string): void {
    const keys = [{ database: 0, key: Buffer.from(key) }];
    const batch = { epoch: 1, first: this.#own.length + 1, timestamp, seen: 0 };
    const bytes = encodeBatch(
      batchOf('east', batch, encodeNeed({ timestamp, lack: LACK.localWrites, keys })),
    );
    this.#own.push({ bytes, timestamp });
    loadIntoWindow({ window: this.#window, entries: this.#entries }, decodeBatch(bytes));
    this.data.set(key, theirs);
  }

  /** @param twin a key that is given out to have the hash of the one written */
  write(line: string, timestamp: number, twin?: string): void {
    const batch = { epoch: 1, first: this.#own.length + 1, timestamp, seen: 0 };
    const bytes = encodeBatch(batchOf('east', batch, line));
    this.#own.push({ bytes, timestamp });
    loadIntoWindow({ window: this.#window, entries: this.#entries }, decodeBatch(bytes));
    if (twin !== undefined)
      loadIntoWindow(
        { window: this.#window, entries: this.#entries },
        batchOf('east', batch, `SET ${twin} of_the_other_key`),
      );
    this.#run(line.split(' '));
  }

  async apply(told: Told, ...lines: (string | Buffer)[]): Promise<BatchPlan> {
    const decision = await this.decide(told, lines);
    for (const { args } of payloadCommands(Buffer.concat(decision.payload)))
      this.#run(args.map((word) => word.toString()));
    decision.onApplied();
    this.#window.advance(told.seen);
    this.kept = keysNamed(decision.kept ?? Buffer.alloc(0)).map(({ key }) => key.toString());
    return decision;
  }

  /** @param tries how often a look at keys was in vain */
  async decide(told: Told, commands: readonly (string | Buffer)[], tries = 0): Promise<BatchPlan> {
    const at: Look['at'] = (keys) =>
      Promise.resolve(keys.map(({ key }) => (this.data.has(key.toString()) ? OTHER : NOTHING)));
    const look = { at, assembled: () => Promise.resolve(undefined), tries };
    return (await this.#planner.decide(batchOf('west', told, ...commands), NEVER, look))!;
  }

  #run([name, ...args]: readonly string[]): void {
    const [key = '', value = ''] = args;
    switch (name) {
      case 'SELECT':
        return;
      case 'SET':
        this.data.set(key, value);
        return;
      case 'INCRBY':
        this.data.set(key, String(Number(this.data.get(key) ?? 0) + Number(value)));
        return;
      case 'APPEND':
        this.data.set(key, (this.data.get(key) ?? '') + value);
        return;
      case 'DEL':
        this.data.delete(key);
        return;
      case 'MSET':
        for (let i = 0; i < args.length; i += 2) this.data.set(args[i]!, args[i + 1]!);
        return;
      case 'FLUSHALL':
        this.data.clear();
        return;
      default:
        this.#attempt(name === 'EVAL' ? args : []);
    }
  }

  /** What attempt-commands.lua would run. */
  #attempt([source, , , ...rest]: readonly string[]): void {
    if (source !== scriptSource('attempt-commands'))
      throw new Error('a command that this site does not know');
    for (let at = 0; at < rest.length;) {
      const count = Number(rest[at]);
      this.#run(rest.slice(at + 1, at + 1 + count));
      at += count + 1;
    }
  }
}

export function batchOf(origin: string, told: Told, ...commands: (string | Buffer)[]): DeliveredBatch {
  const bytes = commands.map((command) => (typeof command === 'string' ? resp(command) : command));
  const payload = Buffer.concat([resp('SELECT 0'), ...bytes]);
  const length = payload.length + 50;
  const counts = { changes: bytes.length, commands: bytes.length + 1, length, plainLength: length };
  const special = commands.filter((command) => typeof command !== 'string').length;
  return { pair: 'p', origin, ...told, ...counts, seenEpoch: 1, special, groups: [], payload };
}

/** A command on one of a few keys. @param unique a value that no other command has */
export function randomLine(random: Random, unique: number): string {
  const key = random.pick(['a', 'a', 'a', 'b', 'c']);
  const kind = random.below(20);
  if (kind < 14) return `SET ${key} ${unique}`;
  if (kind < 16) return `INCRBY ${key} ${1 + random.below(9)}`;
  if (kind < 17) return `APPEND ${key} ${random.below(9)}`;
  if (kind < 18) return `MSET a ${unique} b ${unique}`;
  return `DEL ${key}`;
}
