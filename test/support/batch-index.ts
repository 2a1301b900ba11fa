import type { Batch } from '../../src/protocol/batch.js';
import type { BatchIndex } from '../../src/protocol/batch-index.js';
import { BatchCheck } from '../../src/protocol/check-batch.js';
import type { CommandSpec } from '../../src/redis-commands/command-table.js';

/** What the walk over a batch notes of it. @param writes rows for commands that only this server knows, by upper-case name */
export function indexOf(batch: Batch, writes: ReadonlyMap<string, CommandSpec> = new Map()): BatchIndex {
  const server = { writes, names: new Set(writes.keys()) };
  return new BatchCheck({ server, databases: 16, internalPrefix: 'tandem:{test}:' }).inspect(batch).index;
}
