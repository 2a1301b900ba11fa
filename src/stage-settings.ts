/** What the stages of a site take from the configuration and from what was found in Redis, without the stages themselves. */

import { translateComparison } from './apply/comparison.js';
import type { DeciderOptions } from './apply/decider.js';
import { Inspector } from './apply/inspector.js';
import { translateWhole } from './apply/whole-databases.js';
import type { CaptureOptions } from './capture/capture.js';
import { Filter } from './change/filter.js';
import type { Config } from './config.js';
import { allKeys, type KeyNames } from './redis/keys.js';
import type { OpenedState } from './site-state.js';

interface Found {
  readonly config: Config;
  readonly keys: KeyNames;
  readonly opened: OpenedState;
}

export function captureSettings({
  config,
  keys,
  opened,
}: Found): Omit<CaptureOptions, 'position' | 'clock' | 'listener'> {
  const { pair, site, flush, publish, functions, batchBytes, batchCommands } = config;
  return {
    pair,
    site,
    keys,
    flush,
    publish,
    functions,
    batchBytes: Math.min(batchBytes, opened.maxBulkBytes / 4),
    batchCommands,
    maxChangeBytes: maxChangeBytes(batchBytes, opened.maxBulkBytes),
    epoch: opened.epoch,
    nextSequence: opened.next,
    filter: filterOf(config),
    extraCommands: opened.commands.writes,
  };
}

/** Room for the header of a batch, and for the words around it. */
const HEADER_BYTES = 64 * 1024;

/** A batch is one argument of a command, and may hold a batch's worth of changes before a large one. */
function maxChangeBytes(batchBytes: number, maxBulkBytes: number): number {
  return Math.max(maxBulkBytes / 2, maxBulkBytes - batchBytes - HEADER_BYTES);
}

/** Which changes cross the link. */
export function filterOf({ filters, publishChannels: { include, exclude } }: Config): Filter {
  return new Filter({ ...filters, channelsInclude: include, channelsExclude: exclude });
}

/** Whether the server knows expiring fields of a hash. */
export function fieldsExpire({ commands }: OpenedState): boolean {
  return commands.names.has('HPEXPIRETIME');
}

/** @param onAnswer an answer of the peer's to a question about its keys has come; the name first */
export function deciderSettings(
  { config, keys, opened }: Found,
  onAnswer: (args: readonly Buffer[]) => void,
): Pick<
  DeciderOptions,
  | 'site'
  | 'keys'
  | 'conflictsKept'
  | 'conflictValueBytes'
  | 'translate'
  | 'compare'
  | 'inspector'
  | 'extraCommands'
> {
  const own = allKeys(keys);
  const { databases, commands } = opened;
  return {
    site: config.site,
    keys,
    conflictsKept: config.conflictsKept,
    conflictValueBytes: config.conflictValueBytes,
    translate: (command) => translateWhole(command, own, databases),
    compare: (command, { seen }) =>
      translateComparison(command, {
        out: keys.out,
        seen,
        fieldsExpire: fieldsExpire(opened),
        databases,
        onAnswer,
      }),
    inspector: new Inspector({ server: commands, databases, ownPrefix: keys.prefix }),
    extraCommands: commands.writes,
  };
}
