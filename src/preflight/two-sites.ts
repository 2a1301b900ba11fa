/** Compares what the two sites tell of themselves: keys that only one leaves out, and commands that only one server has. */

import type { Config } from '../config/config.js';
import type { Redis } from '../redis/connect.js';
import { differingSettings, preferredThere, PREFER, publishedFilters } from './published.js';
import type { ServerFacts } from '../redis/server-facts.js';
import type { Verdict } from './finding.js';

/** The facts that a site's process has published in `in:site`; null where none has, or an older version. */
export interface Published {
  readonly filters: string | null;
  readonly commands: string | null;
}

const SHOWN = 12;

export async function readPublished(client: Redis, key: string): Promise<Published> {
  const [filters = null, commands = null] = await client.hmget(key, 'filters', 'commands');
  return { filters, commands };
}

/**
 * Whether both sites leave out the same; nothing while the peer has not told. One that lets through what the other keeps is no mistake
 * by itself.
 */
export function judgeFilters(config: Config, { filters }: Published): Verdict | undefined {
  const name = 'filters';
  if (filters === null) return undefined;
  const differing = differingSettings(publishedFilters(config), filters).filter(
    (setting) => setting !== PREFER,
  );
  if (differing.length === 0) return { name, outcome: 'pass', message: 'both sites leave out the same' };
  return {
    name,
    outcome: 'warn',
    message: `not the same at both sites: ${differing.join(', ')}`,
    advice: `What one site leaves out stays there; changes of the other on the same keys come in all the same. Unless that is wanted, set it alike at both.`,
  };
}

/** Whether both sites say that the same site's values stay; nothing while the peer has not told. */
export function judgePreference(config: Config, { filters }: Published): Verdict | undefined {
  const name = 'prefer';
  const { site, peer, prefer } = config;
  const theirs = filters === null ? undefined : preferredThere(filters, config);
  if (theirs === undefined) return undefined;
  const said = (one: string | null): string => (one === null ? 'not set' : one);
  if (theirs === prefer) return { name, outcome: 'pass', message: `${said(prefer)}, at both sites` };
  return {
    name,
    outcome: 'warn',
    message: `not the same at both sites: ${said(prefer)} at ${site}, ${said(theirs)} at ${peer}`,
    advice:
      'Set it alike at both (TANDEM_PREFER), and start both processes again: whose values stay at a first copy or a repair would depend on the site that does it.',
  };
}

/** Whether each server knows what the other one's changes may hold. */
export function judgeCommands(
  own: { readonly published: Published; readonly facts: ServerFacts },
  theirs: { readonly published: Published; readonly facts: ServerFacts },
  { site, peer }: Pick<Config, 'site' | 'peer'>,
): Verdict {
  const name = 'versions';
  const [here, there] = [own, theirs].map(({ facts: { product, version } }) => `${product} ${version}`);
  if (own.published.commands === null || theirs.published.commands === null) {
    if (here === there) return { name, outcome: 'pass', message: `${here} at both sites` };
    return {
      name,
      outcome: 'warn',
      message: `${here} and ${there}: what one of them does not know is not known yet`,
      advice:
        'Values cross between any two versions, but for what a server does not know. Check again when both processes have started.',
    };
  }
  const lacks = [
    lackOf(peer, own.published.commands, theirs.published.commands),
    lackOf(site, theirs.published.commands, own.published.commands),
  ].filter((lack) => lack !== undefined);
  if (lacks.length === 0)
    return { name, outcome: 'pass', message: `${here} and ${there}, with the same commands` };
  return {
    name,
    outcome: 'warn',
    message: `${here} and ${there}: ${lacks.join('; ')}`,
    advice:
      'Do not use these while the versions differ: changes by them, and values made by them, are rejected there and listed (tandem rejected).',
  };
}

function lackOf(site: string, commands: string, known: string): string | undefined {
  const names = new Set(known.split(' '));
  const lacking = commands.split(' ').filter((name) => !names.has(name));
  if (lacking.length === 0) return undefined;
  const more = lacking.length > SHOWN ? ` and ${lacking.length - SHOWN} more` : '';
  return `${site} does not know ${lacking.slice(0, SHOWN).join(', ')}${more}`;
}
