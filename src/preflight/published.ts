/**
 * What a site tells its peer of itself in `in:site`, beside its name, so that `tandem check` can hold the two against each other: which
 * commands its server has, and what it leaves out. Patterns are told as digests, which are enough to see that two are not the same.
 */

import { createHash } from 'node:crypto';
import { COMMAND_TABLE } from '../redis-commands/command-table.js';
import type { ServerCommands } from '../redis-commands/command-names.js';
import type { Config } from '../config/config.js';

const DIGEST_DIGITS = 12;

/** The setting among the published ones that says whose values stay. All others say what crosses. */
export const PREFER = 'prefer';

/** The settings that both sites have to have alike, each with its digest: `keysExclude=0123456789ab …`. */
export function publishedFilters({
  filters,
  publish,
  publishChannels,
  functions,
  streams,
  prefer,
}: Config): string {
  const { databases, keysInclude, keysExclude, commandsExclude } = filters;
  const settings: Record<string, unknown> = {
    'filters.databases': databases === 'all' ? databases : databases.toSorted((a, b) => a - b),
    'filters.keysInclude': keysInclude.toSorted(),
    'filters.keysExclude': keysExclude.toSorted(),
    'filters.commandsExclude': commandsExclude.toSorted(),
    'publishChannels.include': publishChannels.include.toSorted(),
    'publishChannels.exclude': publishChannels.exclude.toSorted(),
    publish,
    functions,
    'streams.arrival': streams.arrival.toSorted(),
    [PREFER]: prefer,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${digestOf(value)}`)
    .join(' ');
}

/** The names of the server's writes, in upper case. */
export function publishedCommands({ names, writes }: ServerCommands): string {
  const known = COMMAND_TABLE.filter(({ effect }) => effect !== 'none').map(
    ({ name }) => name.split(' ', 1)[0]!,
  );
  return [...new Set([...known, ...writes.keys()])]
    .filter((name) => names.has(name))
    .toSorted()
    .join(' ');
}

/** The settings that differ. @param local and theirs as {@link publishedFilters} gives them */
export function differingSettings(own: string, theirs: string): string[] {
  const known = new Set(theirs.split(' '));
  return own
    .split(' ')
    .filter((setting) => !known.has(setting))
    .map((setting) => setting.split('=', 1)[0]!);
}

/** What the other site prefers, of what it may; undefined where it does not tell, or prefers something else. @param theirs as {@link publishedFilters} gives them */
export function preferredThere(
  theirs: string,
  { site, peer }: Pick<Config, 'site' | 'peer'>,
): string | null | undefined {
  const told = theirs.split(' ');
  return [null, site, peer].find((one) => told.includes(`${PREFER}=${digestOf(one)}`));
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, DIGEST_DIGITS);
}
