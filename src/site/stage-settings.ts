/** The settings of a site's stages, from the configuration and from what was found in Redis. */

import type { AppendedChanges, BatchPlannerOptions } from '../conflicts/plan-options.js';
import { BatchCheck } from '../protocol/check-batch.js';
import { CommandTranslator } from '../inbound/command-translator.js';
import type { BatchTimer } from '../capture/batch-timer.js';
import type { CaptureOptions } from '../capture/capture-options.js';
import type { Claims } from '../sync/claims.js';
import { Filter } from '../config/filter.js';
import type { Config } from '../config/config.js';
import type { CourierOptions } from '../outbound/courier-options.js';
import type { KeyNames } from '../redis/keys.js';
import type { OpenedState } from './history.js';

interface Found {
  readonly claims: Claims;
  readonly config: Config;
  readonly keys: KeyNames;
  readonly opened: OpenedState;
}

export function captureSettings({
  config,
  keys,
  opened,
}: Omit<Found, 'claims'>): Omit<
  CaptureOptions,
  'position' | 'clock' | 'packer' | 'sink' | 'writes' | 'events' | 'deadlines'
> {
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

export function courierSettings({
  config,
  keys,
  opened,
}: Found): Pick<
  CourierOptions,
  | 'keys'
  | 'pair'
  | 'site'
  | 'peer'
  | 'epoch'
  | 'next'
  | 'heartbeatMs'
  | 'backoffMinMs'
  | 'backoffMaxMs'
  | 'clockSkewWarnMs'
  | 'wanBytesPerSecond'
> {
  const { pair, site, peer, heartbeatMs, backoffMinMs, backoffMaxMs, clockSkewWarnMs, wanBytesPerSecond } =
    config;
  const { epoch, next } = opened;
  return {
    keys,
    pair,
    site,
    peer,
    epoch,
    next,
    heartbeatMs,
    backoffMinMs,
    backoffMaxMs,
    clockSkewWarnMs,
    wanBytesPerSecond,
  };
}

/** Room for the header of a batch, and for the words around it. */
const HEADER_BYTES = 64 * 1024;

/** A batch is one argument of a command, and may hold a batch's worth of changes before a large one. */
function maxChangeBytes(batchBytes: number, maxBulkBytes: number): number {
  return Math.max(maxBulkBytes / 2, maxBulkBytes - batchBytes - HEADER_BYTES);
}

/** Which changes cross the link. */
export function filterOf({ filters, publishChannels: { include, exclude }, streams }: Config): Filter {
  return new Filter({ ...filters, channelsInclude: include, channelsExclude: exclude, ...streams });
}

/** Whether the server knows expiring fields of a hash. */
export function fieldsExpire({ commands }: OpenedState): boolean {
  return commands.names.has('HPEXPIRETIME');
}

export function plannerSettings({
  config,
  keys,
  opened,
  claims,
}: Found): Pick<
  BatchPlannerOptions,
  | 'site'
  | 'peer'
  | 'keys'
  | 'conflictsKept'
  | 'conflictValueBytes'
  | 'translator'
  | 'fieldsExpire'
  | 'inspector'
  | 'extraCommands'
> {
  const { site, peer, conflictsKept, conflictValueBytes } = config;
  const { databases, commands, restorable } = opened;
  const translator = new CommandTranslator({
    keys,
    databases,
    restorable,
    fieldsExpire: fieldsExpire(opened),
    filter: filterOf(config),
  });
  return {
    site,
    peer,
    keys,
    conflictsKept,
    conflictValueBytes,
    translator,
    fieldsExpire: fieldsExpire(opened),
    inspector: new BatchCheck({
      server: commands,
      databases,
      internalPrefix: keys.prefix,
      claims,
    }),
    extraCommands: commands.writes,
  };
}

/** The change list as a planner sees it. A decision that waits for a change has the batch that holds it cut at once. */
export function hurried(list: AppendedChanges, timer: BatchTimer): AppendedChanges {
  return {
    get appendedThrough() {
      return list.appendedThrough;
    },
    waitFor: (sequence, signal) => {
      timer.hurry(sequence);
      return list.waitFor(sequence, signal);
    },
    fetch: (sequence) => list.fetch(sequence),
    timestampOf: (sequence) => list.timestampOf(sequence),
  };
}
