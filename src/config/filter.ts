/** Which changes cross the link. Built once from the configuration; patterns are Redis' own globs (`KEYS`, `PSUBSCRIBE`). */

export interface FilterOptions {
  readonly databases: 'all' | readonly number[];
  readonly keysInclude: readonly string[];
  readonly keysExclude: readonly string[];
  /** Lower case. */
  readonly commandsExclude: readonly string[];
  readonly channelsInclude: readonly string[];
  readonly channelsExclude: readonly string[];
  /** Streams whose entries are added in the order of their arrival. */
  readonly arrival?: readonly string[];
}

export class Filter {
  /** Whether every key of every database passes, so that nothing needs a look. */
  readonly passesAllKeys: boolean;
  /** Whether no command is excluded by name. */
  readonly passesAllCommands: boolean;
  readonly #databases: ReadonlySet<number> | undefined;
  readonly #keys: PatternPair;
  readonly #channels: PatternPair;
  readonly #commands: ReadonlySet<string>;
  readonly #arrival: PatternPair | undefined;

  constructor(options: FilterOptions) {
    this.#databases = options.databases === 'all' ? undefined : new Set(options.databases);
    this.#keys = new PatternPair(options.keysInclude, options.keysExclude);
    this.#channels = new PatternPair(options.channelsInclude, options.channelsExclude);
    const { arrival = [] } = options;
    this.#arrival = arrival.length === 0 ? undefined : new PatternPair(arrival, []);
    this.#commands = new Set(options.commandsExclude.map((name) => name.toUpperCase()));
    this.passesAllCommands = this.#commands.size === 0;
    this.passesAllKeys = this.#databases === undefined && this.#keys.passesAll;
  }

  database(database: number): boolean {
    return this.#databases === undefined || this.#databases.has(database);
  }

  /** Whether every key of a database passes, so that a command on all of it may be sent. */
  wholeDatabase(database: number): boolean {
    return this.database(database) && this.#keys.passesAll;
  }

  /** @param name upper case */
  command(name: string): boolean {
    return !this.#commands.has(name);
  }

  key(database: number, key: Buffer): boolean {
    return this.database(database) && this.#keys.passes(key);
  }

  /** Whether entries of a stream of this name are added in the order of their arrival. */
  arrives(key: Buffer): boolean {
    return this.#arrival?.passes(key) === true;
  }

  /** Whether keys of this name pass in a database that does. */
  name(key: Buffer): boolean {
    return this.#keys.passes(key);
  }

  channel(channel: Buffer): boolean {
    return this.#channels.passes(channel);
  }
}

class PatternPair {
  readonly passesAll: boolean;
  readonly #include: readonly RegExp[];
  readonly #exclude: readonly RegExp[];

  constructor(include: readonly string[], exclude: readonly string[]) {
    this.passesAll = include.includes('*') && exclude.length === 0;
    this.#include = include.map(globToRegExp);
    this.#exclude = exclude.map(globToRegExp);
  }

  passes(bytes: Buffer): boolean {
    if (this.passesAll) return true;
    const text = bytes.toString('latin1');
    return (
      this.#include.some((pattern) => pattern.test(text)) &&
      !this.#exclude.some((pattern) => pattern.test(text))
    );
  }
}

/**
 * A Redis glob (`*`, `?`, `[abc]`, `[^a-z]`, `\` before a character) as an expression over bytes read as Latin-1.
 * Source: `stringmatchlen` in Redis' util.c.
 */
export function globToRegExp(glob: string): RegExp {
  const bytes = Buffer.from(glob).toString('latin1');
  let source = '';
  for (let i = 0; i < bytes.length; i++) {
    const character = bytes[i]!;
    // Stars side by side are one, or the expression would try them all.
    if (character === '*') source += source.endsWith('.*') ? '' : '.*';
    else if (character === '?') source += '.';
    else if (character === '\\' && i + 1 < bytes.length) source += literal(bytes[++i]!);
    else if (character === '[') {
      const { set, end } = characterSet(bytes, i + 1);
      source += set;
      i = end;
    } else source += literal(character);
  }
  return new RegExp(`^${source}$`, 's');
}

/** The set that begins at `start`, behind its bracket; a set without an end reaches to the end of the pattern. */
function characterSet(bytes: string, start: number): { set: string; end: number } {
  let i = start;
  const negated = bytes[i] === '^';
  if (negated) i++;
  let members = '';
  for (; i < bytes.length && bytes[i] !== ']'; i++) {
    if (bytes[i] === '\\' && i + 1 < bytes.length) members += literal(bytes[++i]!);
    else if (bytes[i + 1] === '-' && i + 2 < bytes.length) {
      // The servers take whatever stands behind the dash for the end of the range, be it the bracket: `[a-]` has no end.
      const [from, to] = [bytes[i]!, bytes[i + 2]!].toSorted();
      members += `${literal(from!)}-${literal(to!)}`;
      i += 2;
    } else members += literal(bytes[i]!);
  }
  // An empty set matches nothing, its negation anything.
  if (members === '') return { set: negated ? '.' : '(?!)', end: i };
  return { set: `[${negated ? '^' : ''}${members}]`, end: i };
}

function literal(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** What a script is told of keys it makes digests of: whether fields of a hash can expire, and of each whether it is a stream in the order of arrival. */
export function kindsOf(
  keys: readonly { readonly key: Buffer }[],
  fieldsExpire: boolean,
  filter: Pick<Filter, 'arrives'>,
): string {
  return [fieldsExpire, ...keys.map(({ key }) => filter.arrives(key))].map((is) => (is ? '1' : '0')).join('');
}
