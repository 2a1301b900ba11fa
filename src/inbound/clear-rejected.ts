import { encodeCommand } from '../redis-commands/encode-command.js';
import type { Batch } from '../protocol/batch.js';
import { STATE } from '../protocol/messages/state.js';
import { scriptSource } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import type { BatchPlan } from '../conflicts/plan-batch.js';
import { keysOf, payloadCommands } from '../protocol/payload.js';

/**
 * The plan with a command that takes rejected changes off their list, in the same transaction, when the state of their keys comes. The
 * peer's state of a key holds every change of it that was rejected here.
 */
export function withMending(decision: BatchPlan, batch: Batch, keys: KeyNames): BatchPlan {
  if (batch.special === 0) return decision;
  const leftOut = new Set(decision.rejected.map(({ command }) => command.index));
  const places = [...payloadCommands(batch.payload)]
    .filter(({ name, index }) => name === STATE && !leftOut.has(index) && !decision.dropped?.has(index))
    .flatMap((command) => keysOf(command, 'written'))
    .map(({ database, key }) => Buffer.concat([Buffer.from(`${database}:`), key]));
  if (places.length === 0) return decision;
  const own = [keys.applied, keys.rejected, keys.retries];
  const bytes = encodeCommand(['EVAL', scriptSource('clear-rejected'), own.length, ...own, ...places]);
  return { ...decision, epilogue: [...decision.epilogue, { bytes, purpose: 'rejection', keys: [] }] };
}
