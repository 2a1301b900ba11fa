import { globToRegExp } from '../config/filter.js';
import type { LocalConfig } from '../config/config.js';
import type { Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { atLocalRedis, type LocalWork } from './clients.js';
import { escaped, paint } from './terminal.js';

/** Entries read at once. */
const PAGE = 1000;
/** How long the server is asked to wait for an entry, at the most: well within the time it must answer in. */
const BLOCK_MS = 2000;
/** What the entry holds in numbers. */
const NUMBERS = new Set(['database', 'theirTime', 'ownTime']);

export interface ConflictsOptions {
  readonly json: boolean;
  /** Go on with what is added, until a signal. */
  readonly follow: boolean;
  /** Redis' own glob, for the key. */
  readonly key?: string | undefined;
  /** The newest so many alone. */
  readonly count?: number | undefined;
  /** By the clock of the server, in ms since 1970; both included. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly outcome?: string | undefined;
}

/** An entry as the server has it: its ID, and names and values in turn. */
type ConflictRow = readonly [id: Buffer, fields: readonly Buffer[]];

/**
 * Prints the site's list of conflicts, the oldest first; a person is told on standard error when there is none. With `follow`
 * goes on with each new one until a signal. Resolves with 0.
 * @throws TandemError WRONG_PAIR, SAME_SITE when the Redis is that of another site or pair
 */
export function conflicts(config: LocalConfig, options: ConflictsOptions): Promise<number> {
  const { follow, json } = options;
  return atLocalRedis(config, { purpose: 'conflicts', untilSignal: follow }, async (local) => {
    const list = new ConflictList(local, options);
    endWithReader();
    const shown = await list.print();
    if (shown === 0 && !json) console.error(paint.dim(nothingFound(config, options, list.isEmpty)));
    const begin = options.since === undefined || json ? undefined : await list.begin();
    if (begin !== undefined && begin > options.since!)
      console.error(paint.dim(`The list goes back to ${isoTime(begin)} only.`));
    if (follow) await list.follow(Math.min(BLOCK_MS, Math.ceil(config.commandTimeoutMs / 2)));
    return 0;
  });
}

class ConflictList {
  readonly #redis: Redis;
  readonly #keys: KeyNames;
  readonly #stop: AbortSignal;
  readonly #options: ConflictsOptions;
  readonly #pattern: RegExp | undefined;
  /** ID of the newest entry read. */
  #last: Buffer | string = '0-0';

  constructor({ redis, keys, stop }: LocalWork, options: ConflictsOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#stop = stop;
    this.#options = options;
    this.#pattern = options.key === undefined ? undefined : globToRegExp(options.key);
  }

  /** Whether no entry was there, of whatever key. */
  get isEmpty(): boolean {
    return this.#last === '0-0';
  }

  /** When the oldest entry was made; undefined where there is none. */
  async begin(): Promise<number | undefined> {
    const [oldest] = await this.#redis.xrangeBuffer(this.#keys.conflicts, '-', '+', 'COUNT', 1);
    return oldest && timeOf(oldest);
  }

  /** Prints what is listed, and gives how many that were. */
  async print(): Promise<number> {
    const { count } = this.#options;
    if (count !== undefined) {
      const rows = await this.#newest(count);
      this.#show(rows);
      return rows.length;
    }
    let shown = 0;
    for (;;) {
      const rows = await this.#redis.xrangeBuffer(this.#keys.conflicts, this.#next(), '+', 'COUNT', PAGE);
      this.#last = rows.at(-1)?.[0] ?? this.#last;
      shown += this.#show(rows.filter((row) => this.#isWanted(row)));
      if (rows.length < PAGE) return shown;
    }
  }

  /** Prints what is added behind the newest entry read, until the signal aborts. */
  async follow(blockMs: number): Promise<void> {
    while (!this.#stop.aborted) {
      const replies = await this.#redis.xreadBuffer(
        'COUNT',
        PAGE,
        'BLOCK',
        blockMs,
        'STREAMS',
        this.#keys.conflicts,
        this.#last,
      );
      const rows = (replies as [Buffer, ConflictRow[]][] | null)?.[0]?.[1] ?? [];
      this.#last = rows.at(-1)?.[0] ?? this.#last;
      this.#show(rows.filter((row) => this.#isWanted(row)));
    }
  }

  /** The newest that are wanted, so many at the most, the oldest of them first. */
  async #newest(count: number): Promise<ConflictRow[]> {
    const found: ConflictRow[] = [];
    for (let before = '+'; ;) {
      const rows = await this.#redis.xrevrangeBuffer(this.#keys.conflicts, before, '-', 'COUNT', PAGE);
      if (before === '+') this.#last = rows[0]?.[0] ?? this.#last;
      found.push(...rows.filter((row) => this.#isWanted(row)).slice(0, count - found.length));
      if (found.length >= count || rows.length < PAGE) return found.toReversed();
      before = `(${rows.at(-1)![0].toString()}`;
    }
  }

  /** Where a range begins that follows what was read. */
  #next(): string {
    return this.isEmpty ? '-' : `(${this.#last.toString()}`;
  }

  #isWanted(row: ConflictRow): boolean {
    const { since = -Infinity, until = Infinity, outcome } = this.#options;
    const at = timeOf(row);
    if (at < since || at > until) return false;
    const fields = fieldsOf(row);
    if (outcome !== undefined && fields.get('outcome')?.toString() !== outcome) return false;
    return this.#pattern?.test(fields.get('key')?.toString('latin1') ?? '') ?? true;
  }

  #show(rows: readonly ConflictRow[]): number {
    const render = this.#options.json ? renderConflictJson : renderConflict;
    for (const row of rows) console.log(render(row));
    return rows.length;
  }
}

/** A conflict for a person: what was met and what came of it, and both commands if the entry has them. */
function renderConflict(row: ConflictRow): string {
  const fields = fieldsOf(row);
  const text = (name: string): string => fields.get(name)?.toString('latin1') ?? '';
  const side = (name: 'theirs' | 'own', time: string): string[] => {
    const command = fields.get(name);
    return command ? [`    ${name.padEnd(6)}  ${isoTime(Number(text(time)))}  "${escaped(command)}"`] : [];
  };
  const key = `"${escaped(fields.get('key') ?? Buffer.alloc(0))}"`;
  return [
    `${paint.dim(isoTime(timeOf(row)))}  ${escaped(fields.get('command') ?? Buffer.alloc(0))}  ${paint.bold(text('outcome'))}  db ${text('database')}  ${key}`,
    ...side('theirs', 'theirTime'),
    ...side('own', 'ownTime'),
  ].join('\n');
}

/** A conflict as one line of JSON. Bytes beyond printable ASCII stand as redis-cli writes them: `\x00`, `\n`, `\"`. */
function renderConflictJson(row: ConflictRow): string {
  const fields = [...fieldsOf(row)].map(([name, value]) => [
    name,
    NUMBERS.has(name) ? Number(value.toString()) : escaped(value),
  ]);
  return JSON.stringify({
    id: row[0].toString(),
    time: isoTime(timeOf(row)),
    ...(Object.fromEntries(fields) as Record<string, unknown>),
  });
}

function fieldsOf([, flat]: ConflictRow): ReadonlyMap<string, Buffer> {
  const fields = new Map<string, Buffer>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i]!.toString(), flat[i + 1]!);
  return fields;
}

/** When the entry was made, by the clock of the server. */
function timeOf([id]: ConflictRow): number {
  return Number(id.toString().split('-')[0]);
}

function isoTime(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? '?' : time.toISOString();
}

function nothingFound(
  { site, pair }: LocalConfig,
  { key, count, since, until, outcome }: ConflictsOptions,
  isEmpty: boolean,
): string {
  if (isEmpty) return `No conflicts are listed at site ${site} of pair ${pair}.`;
  if (since !== undefined || until !== undefined || outcome !== undefined)
    return 'No listed conflict is of that time, outcome and key.';
  return key === undefined || count === 0
    ? 'No conflicts were asked for.'
    : `No listed conflict is about a key that matches ${key}.`;
}

/** `tandem conflicts | head`: whoever reads has had enough. */
function endWithReader(): void {
  process.stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}
