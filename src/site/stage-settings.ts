/** What the stages of a site take from the configuration and from what was found in Redis, without the stages themselves. */

import { translateComparison } from '../inbound/translate-comparison.js';
import type { BatchPlannerOptions } from '../conflicts/plan-batch.js';
import { BatchCheck } from '../protocol/check-batch.js';
import { translateWhole } from '../inbound/whole-databases.js';
import type { BatchTimer } from '../capture/batch-timer.js';
import type { CaptureOptions } from '../capture/capture-options.js';
import type { Claims } from '../sync/claims.js';
import { Filter } from '../config/filter.js';
import type { Config } from '../config/config.js';
import type { ChangeList } from '../outbound/change-list.js';
import type { CourierOptions } from '../outbound/courier-options.js';
import { allKeys, type KeyNames } from '../redis/keys.js';
import { takes } from '../redis/restorable.js';
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
}: Omit<Found, 'claims'>): Omit<CaptureOptions, 'position' | 'clock' | 'listener' | 'deadlines'> {
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
> {
  const { pair, site, peer, heartbeatMs, backoffMinMs, backoffMaxMs, clockSkewWarnMs } = config;
  const { epoch, next } = opened;
  return { keys, pair, site, peer, epoch, next, heartbeatMs, backoffMinMs, backoffMaxMs, clockSkewWarnMs };
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

/** @param onAnswer an answer of the peer's to a question about its keys has come; the name first */
export function deciderSettings(
  { config, keys, opened, claims }: Found,
  onAnswer: (args: readonly Buffer[]) => void,
): Pick<
  BatchPlannerOptions,
  | 'site'
  | 'peer'
  | 'keys'
  | 'conflictsKept'
  | 'conflictValueBytes'
  | 'translate'
  | 'compare'
  | 'isExcluded'
  | 'isTaken'
  | 'fieldsExpire'
  | 'inspector'
  | 'extraCommands'
> {
  const own = allKeys(keys);
  const { databases, commands, restorable } = opened;
  const filter = filterOf(config);
  return {
    site: config.site,
    peer: config.peer,
    keys,
    conflictsKept: config.conflictsKept,
    conflictValueBytes: config.conflictValueBytes,
    translate: (command, kept) => translateWhole(command, own, databases, kept),
    compare: (command, { seen }) =>
      translateComparison(command, {
        out: keys.out,
        waits: keys.waits,
        seen,
        fieldsExpire: fieldsExpire(opened),
        databases,
        filter,
        onAnswer,
      }),
    isTaken: ({ dump, isLast }) => isLast || takes(restorable, dump),
    fieldsExpire: fieldsExpire(opened),
    isExcluded: ({ database, key }) => !filter.key(database, key),
    inspector: new BatchCheck({
      server: commands,
      databases,
      ownPrefix: keys.prefix,
      onWritten: (low, high, ms) => claims.peer(low, high, ms),
    }),
    extraCommands: commands.writes,
  };
}

/** What the planner asks of the change list. A decision that waits for a change has the batch that holds it cut at once. */
export function listSettings(
  list: ChangeList,
  timer: BatchTimer,
): Pick<BatchPlannerOptions, 'appendedThrough' | 'appended' | 'fetch' | 'timestampOf'> {
  return {
    appendedThrough: () => list.appendedThrough,
    appended: (sequence, signal) => {
      timer.hurry(sequence);
      return list.waitFor(sequence, signal);
    },
    fetch: (sequence) => list.fetch(sequence),
    timestampOf: (sequence) => list.timestampOf(sequence),
  };
}
