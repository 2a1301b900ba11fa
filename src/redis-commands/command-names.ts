/**
 * Finds the row of the command table by the bytes of a command's name, without making a string for a name met before.
 */

import { commandSpec, isContainer, type CommandSpec } from './command-table.js';

/** The commands of a server. */
export interface ServerCommands {
  /** Rows for its writes that the command table does not know, by upper-case name. */
  readonly writes: ReadonlyMap<string, CommandSpec>;
  /** All its commands, in upper case, without sub-commands. */
  readonly names: ReadonlySet<string>;
}

/** What capture knows of the name of a command. */
export interface KnownName {
  /** Upper case. */
  readonly name: string;
  /** Undefined for a command the table does not know, and for a container, whose sub-command decides. */
  readonly spec: CommandSpec | undefined;
  readonly container: boolean;
  /** Longest command (in arguments) that has one written key and no option that calls for a look; 0 when there always is one. */
  readonly plainUpTo: number;
}

interface Slot extends KnownName {
  readonly bytes: Buffer;
}

const SLOTS = 1024;
/** Names held; a stream with more than these differently spelt names is looked up each time. */
const MAX_NAMES = 512;

export class CommandNames {
  readonly #slots = new Array<Slot | undefined>(SLOTS);
  #held = 0;
  readonly #extra: ReadonlyMap<string, CommandSpec>;

  /** @param extra rows for commands that only the server at hand knows (modules), by upper-case name */
  constructor(extra: ReadonlyMap<string, CommandSpec> = new Map()) {
    this.#extra = extra;
  }

  /** The name that lies in `buffer` from `start` to `end`, in any case. */
  find(buffer: Buffer, start: number, end: number): KnownName {
    const length = end - start;
    let slot = length;
    for (let i = start; i < end; i++) slot = (Math.imul(slot, 31) + buffer[i]!) | 0;
    for (let probe = 0; probe < SLOTS; probe++) {
      const at = (slot + probe) & (SLOTS - 1);
      const known = this.#slots[at];
      if (known === undefined) return this.#learn(at, buffer.subarray(start, end));
      const bytes = known.bytes;
      if (bytes.length !== length) continue;
      let i = 0;
      while (i < length && bytes[i] === buffer[start + i]) i++;
      if (i === length) return known;
    }
    return this.#row(buffer.toString('latin1', start, end));
  }

  #learn(at: number, bytes: Buffer): KnownName {
    const row = this.#row(bytes.toString('latin1'));
    if (this.#held >= MAX_NAMES) return row;
    const slot: Slot = { ...row, bytes: Buffer.from(bytes) };
    this.#held++;
    this.#slots[at] = slot;
    return slot;
  }

  #row(spelt: string): KnownName {
    const name = spelt.toUpperCase();
    const spec = commandSpec(name) ?? this.#extra.get(name);
    return { name, spec, container: isContainer(name), plainUpTo: plainUpTo(spec) };
  }
}

/**
 * Commands with options that capture may have to rewrite (see capture/rewrite.ts), or that decide what the command does, with
 * their longest form without any.
 */
const PLAIN_UP_TO: Readonly<Record<string, number>> = {
  SET: 3,
  SETNX: 0,
  LPUSHX: 0,
  RPUSHX: 0,
  LPOP: 2,
  RPOP: 2,
  HSETNX: 0,
  RENAMENX: 0,
  MSETNX: 0,
  DELIFEQ: 0,
  XADD: 0,
  XACK: 0,
  XCLAIM: 0,
  XTRIM: 0,
  SETEX: 0,
  PSETEX: 0,
  DELEX: 2,
  ZADD: 4,
  GEOADD: 5,
  EXPIREAT: 3,
  PEXPIREAT: 3,
  RESTORE: 0,
  'RESTORE-ASKING': 0,
};

function plainUpTo(spec: CommandSpec | undefined): number {
  // A command that may have no effect (SORT without STORE), or an unknown one, is looked at.
  if (!spec?.singleKey || spec.effect === 'unknown' || spec.effect === 'derive') return 0;
  return PLAIN_UP_TO[spec.name] ?? (spec.refine ? 0 : Infinity);
}
