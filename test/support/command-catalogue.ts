import { commandSpec, type CommandSpec } from '../../src/redis-commands/command-table.js';
import { HASH_SAMPLES } from './command-catalogue/hashes.js';
import { KEYSPACE_SAMPLES } from './command-catalogue/keyspace.js';
import { LIST_SAMPLES } from './command-catalogue/lists.js';
import { MESSAGE_AND_SCRIPT_SAMPLES } from './command-catalogue/messages-and-scripts.js';
import { SET_SAMPLES } from './command-catalogue/sets.js';
import { SORTED_SET_SAMPLES } from './command-catalogue/sorted-sets.js';
import { ARRAY_SAMPLES, STREAM_SAMPLES } from './command-catalogue/streams-and-arrays.js';
import { STRING_SAMPLES } from './command-catalogue/strings.js';
import type { Command, SampleDetails, SampleTemplate } from './command-catalogue/template.js';

export type { Command } from './command-catalogue/template.js';

/** A command that has an effect on a real server, once its setup has run on the same connection. */
export interface CommandSample extends SampleDetails {
  /** The row of the command table it belongs to. */
  readonly name: string;
  /** Name and peculiarity, distinct in the whole catalogue: `SET: KEEPTTL`. */
  readonly title: string;
  readonly setup: readonly Command[];
  readonly command: Command;
}

/** A server as `since` speaks of it: `{ kind: 'valkey', version: '8.1.1' }`. */
export interface ServerVersion {
  readonly kind: 'redis' | 'valkey';
  readonly version: string;
}

const TEMPLATES: readonly SampleTemplate[] = [
  ...KEYSPACE_SAMPLES,
  ...STRING_SAMPLES,
  ...HASH_SAMPLES,
  ...SET_SAMPLES,
  ...SORTED_SET_SAMPLES,
  ...LIST_SAMPLES,
  ...STREAM_SAMPLES,
  ...ARRAY_SAMPLES,
  ...MESSAGE_AND_SCRIPT_SAMPLES,
];

/**
 * Samples of every command in the command table. All their keys, channels and libraries begin with `prefix`, and no two samples share one.
 * The databases beside 0 that they use are 9 to 12.
 */
export function commandCatalogue(prefix: string): CommandSample[] {
  return TEMPLATES.map(({ steps, ...template }, index) => {
    const commands = steps((name = 'key') => `${prefix}${index}:${name}`);
    const since = template.since ?? commandSpec(...splitName(template.name))?.since;
    const title = template.about === undefined ? template.name : `${template.name}: ${template.about}`;
    return { ...template, title, since, setup: commands.slice(0, -1), command: commands.at(-1) ?? [] };
  });
}

/** The samples that this server can run. */
export function samplesFor(server: ServerVersion, prefix: string): CommandSample[] {
  return commandCatalogue(prefix).filter(({ since }) => isAvailable(since, server));
}

/** Whether a sample that ran leaves nothing in this server's replication stream. */
export function isQuiet(sample: CommandSample, server: ServerVersion): boolean {
  return sample.quietSince !== undefined && isAvailable(sample.quietSince, server);
}

/** Whether a server is as new as `since` asks (`redis 7.4, valkey 9.0`); without `since` every one is. */
export function isAvailable(since: CommandSpec['since'], { kind, version }: ServerVersion): boolean {
  if (since === undefined) return true;
  const first = since
    .split(', ')
    .find((part) => part.startsWith(`${kind} `))
    ?.slice(kind.length + 1);
  return first !== undefined && compareVersions(version, first) >= 0;
}

function compareVersions(one: string, other: string): number {
  const [majorOne = 0, minorOne = 0] = one.split('.').map(Number);
  const [majorOther = 0, minorOther = 0] = other.split('.').map(Number);
  return majorOne - majorOther || minorOne - minorOther;
}

/** `XGROUP CREATE` into container and sub-command. */
function splitName(name: string): [string, string?] {
  const [container = name, subcommand] = name.split(' ');
  return [container, subcommand];
}
