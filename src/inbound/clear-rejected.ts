import { encodeCommand } from '../redis-commands/encode-command.js';
import { scriptSource } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import type { BatchPlan } from '../conflicts/plan-batch.js';

/**
 * The plan with a command that takes rejected changes off their list, in the same transaction, when the state of their keys comes. The
 * peer's state of a key holds every change of it that was rejected here.
 */
export function withMending(decision: BatchPlan, keys: KeyNames): BatchPlan {
  const places = decision.stated.map(({ database, key }) =>
    Buffer.concat([Buffer.from(`${database}:`), key]),
  );
  if (places.length === 0) return decision;
  const own = [keys.applied, keys.rejected, keys.retries];
  const bytes = encodeCommand(['EVAL', scriptSource('clear-rejected'), own.length, ...own, ...places]);
  return { ...decision, epilogue: [...decision.epilogue, { bytes, purpose: 'rejection', keys: [] }] };
}
