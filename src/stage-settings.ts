/** What the stages of a site take from the configuration and from what was found in Redis, without the stages themselves. */

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
  const { filters, publishChannels, pair, site, flush, publish, functions, batchBytes, batchCommands } =
    config;
  const channels = { channelsInclude: publishChannels.include, channelsExclude: publishChannels.exclude };
  return {
    pair,
    site,
    keys,
    flush,
    publish,
    functions,
    batchBytes,
    batchCommands,
    epoch: opened.epoch,
    nextSequence: opened.next,
    filter: new Filter({ ...filters, ...channels }),
    extraCommands: opened.commands.writes,
  };
}

export function deciderSettings({
  config,
  keys,
  opened,
}: Found): Pick<
  DeciderOptions,
  'site' | 'keys' | 'conflictsKept' | 'conflictValueBytes' | 'translate' | 'inspector' | 'extraCommands'
> {
  const own = allKeys(keys);
  const { databases, commands } = opened;
  return {
    site: config.site,
    keys,
    conflictsKept: config.conflictsKept,
    conflictValueBytes: config.conflictValueBytes,
    translate: (command) => translateWhole(command, own, databases),
    inspector: new Inspector({ server: commands, databases, ownPrefix: keys.prefix }),
    extraCommands: commands.writes,
  };
}
