/** What the model of the rules says a pair of concurrent commands comes to, in a form that servers' data can be compared with. */

import type { Entry } from '../support/dataset.js';
import { meet } from '../support/model/meeting.js';
import { Store, type Argv } from '../support/model/redis/store.js';
import { STATES, type Words } from './concurrent-commands.js';

/** Commands the model has, as they stand there. What it has not: see its README. */
const SAME: ReadonlySet<string> = new Set([
  'SET',
  'DEL',
  'UNLINK',
  'INCRBY',
  'DECRBY',
  'APPEND',
  'SETRANGE',
  'PEXPIREAT',
  'PERSIST',
  'HSET',
  'HDEL',
  'HINCRBY',
  'SADD',
  'SREM',
  'SUNIONSTORE',
  'ZADD',
  'ZREM',
  'ZPOPMIN',
  'RPUSH',
  'LPUSH',
  'LPOP',
  'RPOP',
  'LSET',
  'LTRIM',
  'LREM',
  'LINSERT',
  'XDEL',
  'XACK',
  'RENAME',
  'COPY',
]);

/** The names of the keys of a case, as in `Words`. */
export const CASE_KEYS = ['K', 'K:other', 'K:source'] as const;

/**
 * The outcomes that the rules allow, each as a text for every key of {@link CASE_KEYS}: whose write is the later, and who hears of the
 * other first, is up to chance. Undefined where the model lacks a command.
 */
export function allowedOutcomes(
  state: string,
  east: Words,
  west: Words,
  hasSource: boolean,
): readonly string[] | undefined {
  const start = STATES[state]!.map((line) => asModelled(line, 'both', state));
  const [atEast, atWest] = [asModelled(east, 'east', state), asModelled(west, 'west', state)];
  if (!atEast || !atWest || start.includes(undefined) || areBothAsked(east, west)) return undefined;
  const source: Argv[] = hasSource ? [['SADD', 'K:source', 'm', 'x']] : [];
  const before = [...source, ...(start as Argv[][]).flat()];
  const outcomes = (['east', 'west'] as const).flatMap((later) =>
    (['east', 'west'] as const).flatMap((first) =>
      [false, true].map((isKnown) => {
        const [eastern, western] = [atEast, atWest].map((one) => (isKnown ? asKnown(before, one) : one));
        return textOf(meet({ start: before, east: eastern!, west: western!, later, first }).east);
      }),
    ),
  );
  return [...new Set(outcomes)];
}

/** What is sent for a pop of a sorted set where it is known what it took: that is up to chance, too. */
function asKnown(before: readonly Argv[], commands: readonly Argv[]): Argv[] {
  const store = new Store();
  for (const argv of before) store.run(argv);
  return commands.map((argv): Argv => {
    const set = argv[0] === 'ZPOPMIN' && store.read(argv[1]!, 'zset');
    if (!set) return argv;
    const [first] = [...set.cells].toSorted(
      ([a, scoreA], [b, scoreB]) => Number(scoreA) - Number(scoreB) || (a < b ? -1 : 1),
    );
    return ['ZREM', argv[1]!, first![0]];
  });
}

/** The same text for what a server holds. */
export function outcomeOf(entries: readonly (Entry | undefined)[]): string {
  return entries
    .map((entry) => {
      if (!entry) return 'nothing';
      const text = `${entry.type} ${entry.lines.join(' ')}`.replaceAll(/ delivered \d+ times, last \d+/g, '');
      return words(`${text} ${entry.expiresAt === undefined ? '' : `until ${entry.expiresAt}`}`);
    })
    .join(' | ');
}

/** Whether both sites ask each other: then the time of asking decides, and that is up to chance. */
function areBothAsked([east = '']: Words, [west = '']: Words): boolean {
  const derives = (name: string): boolean => /^(RENAME|COPY|SUNIONSTORE|ZPOPMIN)$/.test(name);
  const isPlaced = (one: string, other: string): boolean => one === 'LINSERT' && /^(DEL|UNLINK)$/.test(other);
  return (derives(east) && derives(west)) || isPlaced(east, west) || isPlaced(west, east);
}

function asModelled(line: Words, site: string, state: string): Argv[] | undefined {
  const argv = line.map((word) => word.replaceAll('@', site));
  const [name, key = '', third = ''] = argv;
  switch (name) {
    case 'SETBIT':
      // The bits of the strings here are as they would be set: that has no effect.
      return state.startsWith('string') ? [] : [argv];
    case 'GETDEL':
      return state.startsWith('string') || state === 'absent' ? [['DEL', key]] : undefined;
    case 'MSET':
      return [argv.slice(1, 3), argv.slice(3, 5)].map((pair) => ['SET', ...pair]);
    case 'INCRBYFLOAT':
      if (state === 'absent') return [['SET', key, '1.5', 'KEEPTTL']];
      return state.startsWith('string') ? [['SET', key, '11.5', 'KEEPTTL']] : undefined;
    case 'ZINCRBY':
      return [argv.map((word) => word.replace('inf', 'Infinity'))];
    case 'XADD':
      return key === 'K' && /^\d/.test(third) ? [argv] : undefined;
    case 'XTRIM':
      return [argv.filter((word) => word !== '=')];
    case 'XGROUP':
      return line.includes('MKSTREAM') ? undefined : [argv];
    case 'XREADGROUP':
      return ['1-1', '2-1'].map((id) => ['XCLAIM', 'K', 'group', 'ann', id]);
    default:
      return name !== undefined && SAME.has(name) ? [argv] : undefined;
  }
}

/** The model's text (`key: value until …`), each key's words in the order of the alphabet. */
function textOf(shown: string): string {
  const byKey = new Map(
    shown.split('\n').map((line) => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)] as const;
    }),
  );
  return CASE_KEYS.map((key) => {
    const text = byKey.get(key);
    return text === undefined ? 'nothing' : words(valueText(text));
  }).join(' | ');
}

function valueText(text: string): string {
  const [, value = '', until = ''] = /^(.*?)( until \d+)?$/.exec(text)!;
  if (value.startsWith('"')) return `string ${visible(JSON.parse(value) as string)}${until}`;
  if (value.startsWith('[')) return `list ${value.slice(1, -1)}${until}`;
  const [, type = '', rest = ''] = /^(\w+)(.*)$/.exec(value)!;
  if (type !== 'stream')
    return `${type} ${rest.slice(1, -1).replaceAll('=', ' = ').replaceAll('Infinity', 'inf')}${until}`;
  const [, entries = '', last = '', groups = ''] = /^\[(.*?)\] last (\S+)(.*)$/.exec(rest)!;
  const groupText = [...groups.matchAll(/ (\w+)@(\S+?)\((.*?)\)/g)].map(([, name, delivered, pending]) => {
    const each = (pending ?? '').split(' ').filter(Boolean);
    const lines = each.map((one) => `group ${name} pending ${one.replace('=', ' at ')}`);
    return [`group ${name} last delivered ${delivered === '0' ? '0-0' : delivered}`, ...lines].join(' ');
  });
  return `stream ${entries.replaceAll(/[=,]/g, ' ')} last ID ${last} ${groupText.join(' ')}${until}`;
}

/** As the data of a server is shown: every byte but printable ASCII as \xNN, the backslash, too. */
function visible(text: string): string {
  return text.replaceAll(
    /[^\x20-\x5b\x5d-\x7e]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function words(text: string): string {
  return text.split(' ').filter(Boolean).toSorted().join(' ');
}
