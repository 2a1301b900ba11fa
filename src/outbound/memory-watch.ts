import type { Redis } from 'ioredis';
import type { Logger } from '../log/log.js';
import { parseInfo } from '../redis/server-facts.js';
import { isFilling, isShort, listLimitBytes, memoryOf } from '../redis/server-memory.js';
import { Signal } from '../async/signal.js';
import type { ChangeList } from './change-list.js';

/** How often the local server is asked for its memory, and how often when it fills up: what is written between must fit the reserve. */
const LOOK_MS = 250;
const CLOSE_LOOK_MS = 50;
/** How often the log says that the server's memory is short. */
const TELL_MS = 60_000;

export interface MemoryWatchOptions {
  readonly client: Redis;
  readonly list: Pick<ChangeList, 'bytes' | 'limitTo'>;
  /** The bound of the change list where the server's memory allows it. */
  readonly changesBytes: number;
  readonly log: Logger;
}

/**
 * Keeps the bound of the change list at what the local server has room for: changes that wait for a peer give way before writes of
 * the application are refused. Ends with the signal; a look that fails leaves the bound as it is.
 */
export async function watchMemory(options: MemoryWatchOptions, signal: AbortSignal): Promise<void> {
  const { client, list, changesBytes, log } = options;
  const wake = new Signal();
  let toldAt = -Infinity;
  for (;;) {
    const info = await client.info('memory').catch(() => '');
    const memory = memoryOf(parseInfo(info));
    const pauseMs = memory !== undefined && isFilling(memory) ? CLOSE_LOOK_MS : LOOK_MS;
    if (memory !== undefined) {
      list.limitTo(listLimitBytes(memory, { listBytes: list.bytes, changesBytes }));
      if (isShort(memory) && performance.now() - toldAt >= TELL_MS) {
        toldAt = performance.now();
        log.warn(
          { ...memory, listBytes: list.bytes },
          "the local server's memory runs short: the changes that wait for the peer give way before it is full",
        );
      }
    }
    await wake.wait(signal, pauseMs);
  }
}
