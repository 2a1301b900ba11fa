import { Capture } from '../../src/capture/capture.js';
import { PsyncSource } from '../../src/capture/psync/psync-source.js';
import { ReplicationStream } from '../../src/capture/psync/replication-stream.js';
import { Filter } from '../../src/config/filter.js';
import { parseRedisUrl } from '../../src/config/redis-url.js';
import { Deadlines } from '../../src/local-writes/deadlines.js';
import { HybridClock } from '../../src/protocol/clock.js';
import { EPOCH, KEYS, PAIR } from './internal-keys.js';
import { conformance } from './source-conformance.js';

conformance('of a replication stream', async ({ url }, { from, ...options }) => {
  const stream = await ReplicationStream.open({
    address: parseRedisUrl(url),
    name: 'tandem:test',
    connectTimeoutMs: 5000,
    from,
    signal: new AbortController().signal,
  });
  const { replid, offset } = stream.start;
  const capture = new Capture({
    ...options,
    pair: PAIR,
    site: 'east',
    epoch: EPOCH,
    position: from ?? { replid, offset, database: 0, seen: 0, seenEpoch: EPOCH },
    keys: KEYS,
    clock: new HybridClock(),
    filter: new Filter({
      databases: 'all',
      keysInclude: ['*'],
      keysExclude: [],
      commandsExclude: [],
      channelsInclude: ['*'],
      channelsExclude: [],
    }),
    flush: 'replicate',
    publish: true,
    functions: true,
    batchBytes: 1024,
    batchCommands: 16,
    packer: { seal: (body) => ({ packing: undefined, body }) },
    maxChangeBytes: 1e9,
    extraCommands: new Map(),
    deadlines: new Deadlines(),
  });
  return new PsyncSource(stream, capture);
});
