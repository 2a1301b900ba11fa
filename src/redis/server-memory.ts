/** How much of its memory a server uses, as it counts itself when it refuses writes with `OOM`. */
export interface ServerMemory {
  readonly usedBytes: number;
  /** `maxmemory`; 0: no bound. */
  readonly maxmemoryBytes: number;
}

/** Share of `maxmemory` that the change list leaves to the application. */
const RESERVE_SHARE = 0.1;
/** Bytes that the change list may have in any case: on a server filled by its data alone, not every short absence becomes a gap. */
const LEAST_BYTES = 16 * 2 ** 20;
/** Share of `maxmemory` from which on the server's memory counts as short. */
const SHORT_SHARE = 0.8;
/** Share from which on it is watched closely. */
const FILLING_SHARE = 0.5;

/** From the fields of INFO, whole or the section `memory`; undefined when the server does not tell. */
export function memoryOf(fields: ReadonlyMap<string, string>): ServerMemory | undefined {
  const [used, max] = [fields.get('used_memory'), fields.get('maxmemory')];
  if (used === undefined || max === undefined) return undefined;
  const notCounted = Number(fields.get('mem_not_counted_for_evict') ?? 0);
  return { usedBytes: Math.max(0, Number(used) - notCounted), maxmemoryBytes: Number(max) };
}

/** Bytes a server may use before its change list gives way; Infinity without a bound. */
export function usableBytes({ maxmemoryBytes }: ServerMemory): number {
  return maxmemoryBytes === 0 ? Infinity : maxmemoryBytes * (1 - RESERVE_SHARE);
}

/** Bytes the change list may have now, when it has `listBytes`: `changesBytes`, or less where the server's memory is short. */
export function listLimitBytes(
  memory: ServerMemory,
  { listBytes, changesBytes }: { listBytes: number; changesBytes: number },
): number {
  const room = usableBytes(memory) - memory.usedBytes;
  return Math.min(changesBytes, Math.max(LEAST_BYTES, Math.floor(listBytes + room)));
}

/** Whether a person should look after the server's memory before the change list gives way. */
export function isShort({ usedBytes, maxmemoryBytes }: ServerMemory): boolean {
  return maxmemoryBytes > 0 && usedBytes >= maxmemoryBytes * SHORT_SHARE;
}

/** Whether it is worth asking often. */
export function isFilling({ usedBytes, maxmemoryBytes }: ServerMemory): boolean {
  return maxmemoryBytes > 0 && usedBytes >= maxmemoryBytes * FILLING_SHARE;
}
