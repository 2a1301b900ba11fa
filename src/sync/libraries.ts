/**
 * Copies, compares and mends function libraries. There are few of them: all are told at once. A difference counts when it is found
 * again and again, since a library that was just loaded may be on its way.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { codeDigest, MAX_LIBRARIES, type Shelf } from '../protocol/messages/library-parts.js';
import { TandemError } from '../errors.js';
import { answerOf, type Redis } from '../redis/connect.js';
import { remedyOf, type Preference } from './mending.js';
import type { SyncSite } from './work.js';

export interface LibraryDifference {
  readonly name: string;
  readonly finding: 'missing-here' | 'missing-there' | 'value';
}

/** Looks that find a difference before it counts, how many there are at the most, and the pause between two. */
const FINDINGS = 3;
const LOOKS = 8;
const PAUSE_MS = 100;

/** The libraries of a server with their code; nothing where it has no functions, or the account may not list them. */
export async function librariesOf(client: Redis): Promise<Map<string, Buffer> | undefined> {
  let reply: unknown;
  try {
    reply = await answerOf(client, client.callBuffer('FUNCTION', 'LIST', 'WITHCODE'));
  } catch (error) {
    if (error instanceof TandemError && error.code === 'UNREACHABLE') throw error;
    return undefined;
  }
  const found = new Map<string, Buffer>();
  for (const library of (reply as Buffer[][]).slice(0, MAX_LIBRARIES)) {
    const field = (name: string): Buffer | undefined =>
      library[library.findIndex((one, at) => at % 2 === 0 && one.toString('latin1') === name) + 1];
    const [name, code] = [field('library_name'), field('library_code')];
    if (name && code) found.set(name.toString('latin1'), code);
  }
  return found;
}

export function shelfOf(libraries: ReadonlyMap<string, Buffer>): Shelf {
  return new Map([...libraries].map(([name, code]) => [name, codeDigest(code)]));
}

/** Which libraries differ, by what about them; nothing where one of the sites does not tell. */
export async function compareLibraries(
  { client, exchange, functions }: SyncSite,
  signal: AbortSignal,
): Promise<{ compared: number; different: LibraryDifference[] } | undefined> {
  if (!functions) return undefined;
  const times = new Map<string, number>();
  for (let look = 1; ; look++) {
    const theirs = await exchange.libraries(signal);
    const own = await librariesOf(client);
    if (!theirs || !own) return undefined;
    const found = differences(shelfOf(own), theirs);
    for (const { name, finding } of found)
      times.set(`${name} ${finding}`, (times.get(`${name} ${finding}`) ?? 0) + 1);
    const isCertain = found.every(({ name, finding }) => times.get(`${name} ${finding}`)! >= FINDINGS);
    if (isCertain || look === LOOKS)
      return { compared: new Set([...own.keys(), ...theirs.keys()]).size, different: found };
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

/** Gives both sites one code of each library, by the preference. It is there some time later. */
export async function mendLibraries(
  site: SyncSite,
  different: readonly LibraryDifference[],
  preference: Preference,
): Promise<void> {
  const remedied = (remedy: 'send' | 'ask'): string[] =>
    different.filter((one) => remedyOf(one, preference, site) === remedy).map(({ name }) => name);
  await sendLibraries(site, remedied('send'));
  const asked = remedied('ask');
  if (asked.length > 0) await site.exchange.askLibraries(asked);
}

/** Sends this site's libraries of these names, as far as there are any. */
export async function sendLibraries(
  { client, exchange }: Pick<SyncSite, 'client' | 'exchange'>,
  names: readonly string[],
): Promise<void> {
  const own = names.length > 0 ? await librariesOf(client) : undefined;
  for (const name of names) {
    const code = own?.get(name);
    if (code) await exchange.sendLibrary(name, code);
  }
}

function differences(own: Shelf, theirs: Shelf): LibraryDifference[] {
  const names = new Set([...own.keys(), ...theirs.keys()]);
  return [...names].toSorted().flatMap((name) => {
    const [here, there] = [own.get(name), theirs.get(name)];
    if (here === there) return [];
    const finding = here === undefined ? 'missing-here' : there === undefined ? 'missing-there' : 'value';
    return [{ name, finding } as const];
  });
}
