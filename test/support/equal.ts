import { AssertionError } from 'node:assert';
import type { Redis } from 'ioredis';
import { type Dataset, type DatasetOptions, type Entry, EXPIRY_TOLERANCE_MS, dataset } from './dataset.js';

const SHOWN_DIFFERENCES = 20;
const SHOWN_CHARS = 160;

/** How two datasets are compared. */
export interface EqualOptions extends DatasetOptions {
  /** By how much expiries may differ. Default: not at all, or what servers before 7.0 need. */
  expiryToleranceMs?: number;
}

/**
 * The one big assertion: both servers hold the same keys in all databases, with the same types, values and expiries.
 * The internal keys do not count. Throws with up to 20 differences, one or two lines each.
 */
export async function expectEqual(east: Redis, west: Redis, options: EqualOptions = {}): Promise<void> {
  const [atEast, atWest] = await Promise.all([dataset(east, options), dataset(west, options)]);
  const tolerance =
    options.expiryToleranceMs ?? ((await isOld(east)) || (await isOld(west)) ? EXPIRY_TOLERANCE_MS : 0);
  const found = differences(atEast, atWest, tolerance);
  if (found.length === 0) return;
  const more = found.length > SHOWN_DIFFERENCES ? [`… and ${found.length - SHOWN_DIFFERENCES} more`] : [];
  const message = [
    `${found.length} of ${new Set([...atEast.keys(), ...atWest.keys()]).size} keys differ:`,
    ...found.slice(0, SHOWN_DIFFERENCES),
    ...more,
  ].join('\n');
  throw new AssertionError({ message, stackStartFn: expectEqual });
}

/** One text per key that differs, in the order of the keys. */
function differences(east: Dataset, west: Dataset, expiryToleranceMs = 0): string[] {
  const keys = [...new Set([...east.keys(), ...west.keys()])].toSorted();
  return keys.flatMap((key) => {
    const difference = compare(east.get(key), west.get(key), expiryToleranceMs);
    return difference === undefined ? [] : [`${key}: ${difference}`];
  });
}

function compare(east: Entry | undefined, west: Entry | undefined, toleranceMs: number): string | undefined {
  if (!east || !west) return `only at ${east ? 'east' : 'west'}: ${describe(east ?? west)}`;
  if (east.type !== west.type) return `east ${describe(east)}\n    west ${describe(west)}`;
  const at = firstDifference(east.lines, west.lines);
  if (at !== undefined) {
    const where = east.lines.length > 1 || west.lines.length > 1 ? `${east.type}, line ${at + 1}: ` : '';
    const sizes =
      east.lines.length === west.lines.length
        ? ''
        : ` (${east.lines.length} against ${west.lines.length} lines)`;
    const from = commonStart(east.lines[at] ?? '', west.lines[at] ?? '');
    return `${where}east ${quoted(east.lines[at], from)}, west ${quoted(west.lines[at], from)}${sizes}`;
  }
  return compareExpiry(east.expiresAt, west.expiresAt, toleranceMs);
}

function compareExpiry(
  east: number | undefined,
  west: number | undefined,
  toleranceMs: number,
): string | undefined {
  if (east === west) return undefined;
  if (east === undefined || west === undefined)
    return `expiry: east ${east ?? 'none'}, west ${west ?? 'none'}`;
  const apart = Math.abs(east - west);
  return apart <= toleranceMs ? undefined : `expiry: east ${east}, west ${west} (${apart} ms apart)`;
}

function firstDifference(east: string[], west: string[]): number | undefined {
  for (let i = 0; i < Math.max(east.length, west.length); i++) if (east[i] !== west[i]) return i;
  return undefined;
}

function describe(entry: Entry | undefined): string {
  return entry ? `${entry.type} ${quoted(entry.lines.join(', '))}` : 'absent';
}

/** Long texts are shown from a little before the place where they differ. */
function quoted(line: string | undefined, from = 0): string {
  if (line === undefined) return 'nothing';
  if (line.length <= SHOWN_CHARS) return `"${line}"`;
  const start = Math.max(0, from - SHOWN_CHARS / 4);
  const end = start + SHOWN_CHARS;
  return `"${start > 0 ? '…' : ''}${line.slice(start, end)}${end < line.length ? '…' : ''}" (${line.length} characters)`;
}

function commonStart(east: string, west: string): number {
  let at = 0;
  while (at < east.length && east[at] === west[at]) at++;
  return at;
}

async function isOld(client: Redis): Promise<boolean> {
  const version = /^redis_version:(\d+)/m.exec(await client.info('server'));
  return Number(version?.[1]) < 7;
}
