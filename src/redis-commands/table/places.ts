import { countAt, isToken, tokenAt } from './arguments.js';
import type { CellFinder, CellRange, KeyFinder, KeyPlace } from './command-spec.js';
import { fieldsAt } from '../options/field-options.js';
import { behindMemberOptions } from '../options/member-options.js';
import { streamOptions } from '../options/stream-options.js';

/** Argument indexes at the given places, in the order of the places. Never an index outside of the arguments. */
export function indexesAt(places: readonly KeyPlace[], args: readonly Buffer[]): number[] {
  return places.flatMap((place) => {
    if (typeof place === 'string') return KEY_FINDERS[place](args);
    if ('countAt' in place) return counted(args, place.countAt, place.step);
    return range(args, place.first, place.last, place.step);
  });
}

/** Argument indexes of a command's cells: fields, members, bits or stream IDs. */
export function cellIndexes(
  args: readonly Buffer[],
  cells: CellRange | undefined,
  finder: CellFinder | undefined,
): number[] {
  if (cells !== undefined) return range(args, cells.first, cells.last ?? -1, cells.step);
  return finder === undefined ? [] : CELL_FINDERS[finder](args);
}

function range(args: readonly Buffer[], first: number, last: number, step: number): number[] {
  const end = Math.min(last < 0 ? args.length + last : last, args.length - 1);
  const indexes: number[] = [];
  for (let index = first; index <= end; index += step) indexes.push(index);
  return indexes;
}

/** As many arguments behind `at` as the one at `at` says, `step` apart. */
function counted(args: readonly Buffer[], at: number, step = 1): number[] {
  return range(args, at + 1, at + step * countAt(args, at), step);
}

const KEY_FINDERS: Record<KeyFinder, (args: readonly Buffer[]) => number[]> = {
  sort: sortStore,
  georadius: georadiusStore,
  streams: keysBehindStreams,
};

const CELL_FINDERS: Record<CellFinder, (args: readonly Buffer[]) => number[]> = {
  fields: (args) => behindFields(args, 1),
  'field-values': (args) => behindFields(args, 2),
  zadd: (args) => range(args, behindMemberOptions(args) + 1, -1, 2),
  geoadd: (args) => range(args, behindMemberOptions(args) + 2, -1, 3),
  vadd: vaddElement,
  xadd: xaddId,
};

/** `BY`, `GET` and `LIMIT` are skipped with their values: a pattern may well be called `store`. */
function sortStore(args: readonly Buffer[]): number[] {
  let found: number[] = [];
  for (let index = 2; index < args.length; index += 1) {
    const token = tokenAt(args, index);
    if (token === 'LIMIT') index += 2;
    else if (token === 'BY' || token === 'GET') index += 1;
    else if (token === 'STORE' && index + 1 < args.length) {
      index += 1;
      found = [index];
    }
  }
  return found;
}

function georadiusStore(args: readonly Buffer[]): number[] {
  let found: number[] = [];
  for (let index = 5; index + 1 < args.length; index += 1) {
    const token = tokenAt(args, index);
    if (token === 'STORE' || token === 'STOREDIST') {
      index += 1;
      found = [index];
    }
  }
  return found;
}

/** `XREADGROUP GROUP group consumer … STREAMS key… id…`: as many IDs as keys. */
function keysBehindStreams(args: readonly Buffer[]): number[] {
  let index = 4;
  while (index < args.length && !isToken(args[index], 'STREAMS')) {
    index += isToken(args[index], 'NOACK') ? 1 : 2;
  }
  const first = index + 1;
  return range(args, first, first + Math.floor((args.length - first) / 2) - 1, 1);
}

function behindFields(args: readonly Buffer[], step: number): number[] {
  const at = fieldsAt(args);
  return at === undefined ? [] : counted(args, at + 1, step);
}

/** `VADD key [REDUCE dim] (FP32 blob | VALUES count number…) element …` */
function vaddElement(args: readonly Buffer[]): number[] {
  const vectorAt = isToken(args[2], 'REDUCE') ? 4 : 2;
  const elementAt = vectorAt + 2 + (isToken(args[vectorAt], 'VALUES') ? countAt(args, vectorAt + 1) : 0);
  return range(args, elementAt, elementAt, 1);
}

/** The ID stands behind the options, and nothing that may stand there looks like one of them. */
function xaddId(args: readonly Buffer[]): number[] {
  const { end } = streamOptions(args);
  return range(args, end, end, 1);
}
