/**
 * Replication streams made up for tests: a story of what happened at a site, as bytes as a server sends them, together with
 * what capture should make of it.
 */

import * as fc from 'fast-check';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { keyNames } from '../../../src/redis/keys.js';

export const KEYS = keyNames({ prefix: 'tandem', pair: 'test' });

/** A command as words, and the words in which it is sent. */
export interface Told {
  readonly database: number;
  readonly words: readonly string[];
  readonly sent?: readonly string[];
}

export type Event =
  /** A command of the application's that stands alone. */
  | { readonly kind: 'single'; readonly command: Told }
  /** A transaction of the application's; commands on internal keys in it stay here. */
  | { readonly kind: 'group'; readonly commands: readonly Told[]; readonly selectsInside: boolean }
  /** The peer's changes coming round; what `made` says is taken out of them and sent. */
  | {
      readonly kind: 'echo';
      readonly advance: number;
      readonly commands: readonly Told[];
      readonly made: readonly string[];
    }
  /** The marker of a change of the peer's that had no effect. */
  | { readonly kind: 'marker'; readonly advance: number }
  /** A command on internal keys, and what the listener hears of it. */
  | { readonly kind: 'own'; readonly words: readonly string[]; readonly heard?: string }
  | { readonly kind: 'noise'; readonly words: readonly string[] };

/** What one change should be: its commands with their databases, and the peer's sequence it rests on. */
export interface ExpectedChange {
  readonly commands: readonly string[];
  readonly seen: number;
}

export interface Story {
  readonly stream: Buffer;
  readonly changes: readonly ExpectedChange[];
  /** What the listener hears beside batches, in order. */
  readonly heard: readonly string[];
}

/** A moment that every rewriting in a story refers to. */
export const NOW = 1_790_000_000_000;

const key = fc.constantFrom('a', 'b', 'key:1', 'tandem:{other}:x', 'tande', 'é');
const value = fc.constantFrom('1', '', 'v', 'x'.repeat(300), '\r\n*1\r\n');
const database = fc.constantFrom(0, 0, 0, 1, 9);

const words: fc.Arbitrary<{ words: string[]; sent?: string[] }> = fc.oneof(
  fc.tuple(key, value).map(([k, v]) => ({ words: ['SET', k, v] })),
  fc
    .tuple(key, value)
    .map(([k, v]) => ({ words: ['set', k, v, 'EX', '10'], sent: ['set', k, v, 'PXAT', `${NOW + 10_000}`] })),
  fc.tuple(key, value).map(([k, v]) => ({ words: ['SETNX', k, v], sent: ['SET', k, v] })),
  fc.tuple(key).map(([k]) => ({ words: ['EXPIRE', k, '5'], sent: ['PEXPIREAT', k, `${NOW + 5000}`] })),
  fc.tuple(key).map(([k]) => ({ words: ['incr', k] })),
  fc.tuple(key, key).map(([k, l]) => ({ words: ['DEL', k, l] })),
  fc.tuple(key, value).map(([k, v]) => ({ words: ['ZADD', k, 'NX', '1', v, '2', 'm'] })),
  fc.tuple(key, key).map(([k, l]) => ({ words: ['RENAME', k, l] })),
  fc.tuple(key).map(([k]) => ({ words: ['MOVE', k, '3'] })),
  fc.tuple(key, key).map(([k, l]) => ({ words: ['COPY', k, l, 'DB', '1', 'REPLACE'] })),
  fc.tuple(key, key).map(([k, l]) => ({ words: ['SUNIONSTORE', k, l, 'b'] })),
  fc.tuple(key).map(([k]) => ({ words: ['XGROUP', 'CREATE', k, 'g', '$', 'MKSTREAM'] })),
  fc.tuple(value).map(([v]) => ({ words: ['PUBLISH', 'news', v] })),
  fc.tuple(value).map(([v]) => ({ words: ['MODULE.THING', v] })),
);

const told: fc.Arbitrary<Told> = fc
  .tuple(database, words)
  .map(([db, command]) => ({ database: db, ...command }));

const own: fc.Arbitrary<Event> = fc.constantFrom<Event>(
  { kind: 'own', words: ['RPUSH', KEYS.inbox, 'one', 'two'], heard: 'delivered one,delivered two' },
  { kind: 'own', words: ['HSET', KEYS.received, 'beat', '7', 'beatSeen', '5'], heard: 'acknowledged 7 5' },
  { kind: 'own', words: ['HSET', KEYS.received, 'n', '7'] },
  { kind: 'own', words: ['SET', KEYS.barrier, 'text'], heard: 'barrier text' },
  { kind: 'own', words: ['RPUSH', KEYS.changes, 'x'] },
  { kind: 'own', words: ['DEL', KEYS.inbox, KEYS.received] },
  { kind: 'own', words: ['HDEL', KEYS.applied, 'suspect'] },
  { kind: 'own', words: ['HSET', KEYS.applied, 'errors', '3'] },
);

const made = fc
  .constantFrom(
    ['TANDEM.NEED', '5', '0', '0', 'a'],
    ['TANDEM.STATE', '9', 'a', '0', '77', 'east', '3', '-1', 'dump'],
  )
  .map((command) => encodeCommand(command).toString('latin1'));

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: told.map((command): Event => ({ kind: 'single', command })) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('group' as const),
      commands: fc.array(told, { maxLength: 5 }),
      selectsInside: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('echo' as const),
      advance: fc.integer({ min: 1, max: 9 }),
      commands: fc.array(told, { maxLength: 4 }),
      made: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(made, { maxLength: 2 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 9 }).map((advance): Event => ({ kind: 'marker', advance })),
  },
  { weight: 3, arbitrary: own },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Event>(
      { kind: 'noise', words: ['PING'] },
      { kind: 'noise', words: ['REPLCONF', 'GETACK', '*'] },
    ),
  },
);

/** Any story of up to `maxLength` events. */
export function stories(maxLength = 25): fc.Arbitrary<Story> {
  return fc.array(event, { maxLength, size: 'max' }).map(tell);
}

/** The bytes of a story, and what should become of them. */
export function tell(events: readonly Event[]): Story {
  const parts: Buffer[] = [];
  const changes: ExpectedChange[] = [];
  const heard: string[] = [];
  let selected = -1;
  let seen = 0;
  const send = (...args: readonly string[]): void =>
    void parts.push(encodeCommand(args.map((word) => Buffer.from(word, 'latin1'))));
  const select = (db: number): void => {
    if (db !== selected) send('SELECT', String(db));
    selected = db;
  };
  const say = (command: Told): void => {
    select(command.database);
    send(...command.words);
  };
  const mark = (advance: number): void => {
    select(0);
    seen += advance;
    send('HSET', KEYS.applied, 'epoch', '2', 'n', String(seen), 'decided', String(changes.length));
    heard.push(`applied ${seen} ${changes.length}`);
  };
  for (const happened of events) {
    switch (happened.kind) {
      case 'single':
        say(happened.command);
        changes.push({ commands: [expectedCommand(happened.command)], seen });
        break;
      case 'group':
        if (!happened.selectsInside) select(happened.commands[0]?.database ?? 0);
        send('MULTI');
        for (const command of happened.commands) {
          say(command);
          // What scripts of Tandem's own do stands in groups too.
          if (happened.selectsInside) send('INCR', KEYS.guard);
        }
        send('EXEC');
        if (happened.commands.length > 0)
          changes.push({ commands: happened.commands.map(expectedCommand), seen });
        break;
      case 'echo':
        if (happened.advance % 2 === 0) select(0);
        send('MULTI');
        mark(happened.advance);
        send('HSET', KEYS.applied, 'errors', '0');
        for (const command of happened.commands) say(command);
        select(0);
        for (const command of happened.made) send('SET', KEYS.out, command);
        send('HINCRBY', KEYS.received, 'bytes', '-5');
        send('EXEC');
        if (happened.made.length > 0)
          changes.push({ commands: happened.made.map((bytes) => `0 ${bytes}`), seen });
        break;
      case 'marker':
        mark(happened.advance);
        break;
      case 'own':
        select(0);
        send(...happened.words);
        if (happened.heard !== undefined) heard.push(...happened.heard.split(','));
        break;
      case 'noise':
        send(...happened.words);
        break;
    }
  }
  return { stream: Buffer.concat(parts), changes, heard };
}

function expectedCommand({ database: db, words: said, sent = said }: Told): string {
  return `${db} ${encodeCommand(sent.map((word) => Buffer.from(word, 'latin1'))).toString('latin1')}`;
}
