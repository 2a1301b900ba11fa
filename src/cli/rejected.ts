import { byNumber, counted } from '../counted.js';
import {
  commandOf,
  countRejected,
  dropRejected,
  findRejected,
  readRejected,
  retryRejected,
  type RejectedEntry,
  type Retried,
} from '../inbound/rejected-list.js';
import { serverCommands } from '../redis/server-commands.js';
import type { LocalConfig } from '../config/config.js';
import { TandemError } from '../errors.js';
import { atLocalSite, type LocalSite } from './local-site.js';
import { grouped, paint, shown } from './terminal.js';

/** Bytes of a command that a person is shown. */
const SHOWN_BYTES = 200;
const ENTRY_ID = /^\d+(-\d+)?$/;

/** Which entries a command is for. */
export interface Chosen {
  readonly ids: readonly string[];
  readonly all: boolean;
}

/** Prints the newest entries of the list of rejected changes, the newest last. Resolves with 0. */
export async function listRejected(
  config: LocalConfig,
  { count, json }: { count: number; json: boolean },
): Promise<number> {
  return atLocalSite(config, 'rejected', async ({ redis, keys }) => {
    const entries = await readRejected(redis, keys, count);
    const total = await countRejected(redis, keys);
    console.log(
      json
        ? JSON.stringify({ total, entries: entries.map(plain) })
        : renderRejected(entries, total, config.peer),
    );
    return 0;
  });
}

/** Asks the peer for the keys of rejected changes. Resolves with 1 if there are some that cannot be tried again, else 0. */
export async function retry(
  config: LocalConfig,
  { json, ...chosen }: Chosen & { json: boolean },
): Promise<number> {
  return atLocalSite(config, 'rejected', async (site) => {
    const { redis, keys } = site;
    const entries = await choose(site, chosen);
    const { writes: extra } = await serverCommands(redis);
    const outcome = await retryRejected(redis, { keys, entries, extra });
    const gone = missing(chosen, entries);
    console.log(json ? JSON.stringify({ ...outcome, gone }) : renderRetried(outcome, gone, config.peer));
    return outcome.refused.length + gone.length > 0 ? 1 : 0;
  });
}

/** Takes rejected changes off the list. Resolves with 0. */
export async function drop(
  config: LocalConfig,
  { json, ...chosen }: Chosen & { json: boolean },
): Promise<number> {
  return atLocalSite(config, 'rejected', async (site) => {
    const entries = await choose(site, chosen);
    const ids = entries.map(({ id }) => id);
    const dropped = await dropRejected(site.redis, site.keys, ids);
    console.log(
      json
        ? JSON.stringify({ dropped })
        : `${grouped(dropped)} taken off the list. The sites stay as they are.`,
    );
    return 0;
  });
}

/** @throws TandemError CONFIG_INVALID when neither is named, or both are */
async function choose({ redis, keys }: LocalSite, { ids, all }: Chosen): Promise<RejectedEntry[]> {
  const wrong = ids.find((id) => !ENTRY_ID.test(id));
  if (wrong !== undefined)
    throw new TandemError('CONFIG_INVALID', `${JSON.stringify(wrong)} is not the ID of an entry`, {
      hint: '`tandem rejected` lists them',
    });
  if (all === ids.length > 0)
    throw new TandemError('CONFIG_INVALID', 'say which entries are meant: their IDs, or --all', {
      hint: '`tandem rejected` lists them',
    });
  return all ? readRejected(redis, keys) : findRejected(redis, keys, ids);
}

function missing({ ids }: Chosen, entries: readonly RejectedEntry[]): string[] {
  const found = new Set(entries.map(({ id }) => id));
  return ids.filter((id) => !found.has(id) && !found.has(`${id}-0`));
}

/** `SET user:1 "a b"`, cut; a name of Tandem's own as it is listed. */
function wordsOf(entry: RejectedEntry): { name: string; words: string[] } {
  const command = commandOf(entry);
  if (!command) return { name: shown(entry.command), words: [] };
  const inName = command.name.includes(' ') ? 2 : 1;
  return { name: shown(Buffer.from(command.name, 'latin1')), words: command.args.slice(inName).map(shown) };
}

function plain(entry: RejectedEntry): Record<string, unknown> {
  const { id, at, sequence, database, key, error, tries } = entry;
  const { name, words } = wordsOf(entry);
  return {
    id,
    time: new Date(at).toISOString(),
    sequence,
    database: database ?? null,
    command: name,
    key: shown(key),
    keyBase64: key.toString('base64'),
    arguments: words,
    error: shownText(error),
    tries,
  };
}

/** Two lines for each entry, how many there are, and what can be done about them. */
export function renderRejected(entries: readonly RejectedEntry[], total: number, peer: string): string {
  if (total === 0) return 'No change was rejected.';
  const lines = entries.flatMap((entry) => {
    const { id, at, database, key, error, tries } = entry;
    const { name, words } = wordsOf(entry);
    const text = words.length > 0 ? words.join(' ') : shown(key);
    const tried = tries === 0 ? '' : paint.dim(`  (tried ${counted(tries, 'time')})`);
    return [
      `${paint.bold(id)}  ${new Date(at).toISOString()}  ${database === undefined ? 'db?' : `db${database}`}  ${name} ${cut(text)}`,
      `  ${paint.yellow(shownText(error))}${tried}`,
    ];
  });
  const older = total - entries.length;
  return [
    ...(older > 0
      ? [paint.dim(`${grouped(older)} older ${byNumber(older, 'one is', 'ones are')} not shown: --count`)]
      : []),
    ...lines,
    '',
    `  → tandem rejected retry ID … (or --all): ${peer} sends the keys again, once the cause is gone`,
    '  → tandem rejected drop ID … (or --all): off the list; the sites stay different',
    '  → tandem repair: makes all keys equal, these too',
  ].join('\n');
}

function renderRetried({ asked, merged, refused }: Retried, gone: readonly string[], peer: string): string {
  const more =
    merged.length === 0
      ? ''
      : ` (${grouped(merged.length)} more ${byNumber(merged.length, 'was', 'were')} about the same keys)`;
  return [
    ...(asked.length === 0 && refused.length + gone.length > 0
      ? []
      : [
          `${peer} is asked for the keys of ${counted(asked.length, 'change')}${more}. Each goes from the list when its keys have come.`,
        ]),
    ...refused.map(({ id, why }) => paint.yellow(`${id} cannot be tried again: ${why}`)),
    ...gone.map((id) => paint.yellow(`${id} is not in the list`)),
  ].join('\n');
}

/** An error is text; what is not is shown safely. */
function shownText(text: Buffer): string {
  const quoted = shown(text);
  return quoted.startsWith('"') ? quoted.slice(1, -1).replaceAll('\\"', '"') : quoted;
}

function cut(text: string): string {
  return text.length <= SHOWN_BYTES ? text : `${text.slice(0, SHOWN_BYTES)}…`;
}
