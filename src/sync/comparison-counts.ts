/** What a comparison has counted, and what it comes to. */

/** How many keys were found to be what. */
export interface ComparisonResult {
  readonly compared: number;
  readonly equal: number;
  /** Keys that were found to differ. */
  readonly differing: number;
  /** The same, by what about them. */
  readonly byKind: Readonly<Record<string, number>>;
  /** Of how many of them a site's value stays, by the site's name, where a repair was asked for. Keys that are left as they are count for none. */
  readonly stays: Readonly<Record<string, number>>;
  /** How many of those that differ are equal now. */
  readonly repaired: number;
  /** Keys that could not be told, because they were written all the time. */
  readonly undecided: number;
  /** Keys of this site that the peer leaves out by its filter. Nothing is said of them; those this site leaves out are not looked at. */
  readonly excluded: number;
  /** Keys whose values differ as dumps, of a type whose parts no server tells: the values may be equal. */
  readonly notComparable: number;
}

export interface Counts {
  compared: number;
  differing: number;
  /** Those that were to be repaired, and were not. */
  unrepaired: number;
  undecided: number;
  excluded: number;
  notComparable: number;
  byKind: Record<string, number>;
  stays: Record<string, number>;
}

export function noCounts(): Counts {
  return {
    compared: 0,
    differing: 0,
    unrepaired: 0,
    undecided: 0,
    excluded: 0,
    notComparable: 0,
    byKind: {},
    stays: {},
  };
}

/** Counts keys that differ, which were not counted before. */
export function addFresh(
  counts: Pick<Counts, 'differing' | 'byKind' | 'stays'>,
  fresh: readonly { readonly kind: string; readonly stays?: string | undefined }[],
): void {
  counts.differing += fresh.length;
  for (const { kind, stays } of fresh) {
    counts.byKind[kind] = (counts.byKind[kind] ?? 0) + 1;
    if (stays !== undefined) counts.stays[stays] = (counts.stays[stays] ?? 0) + 1;
  }
}

export function resultOf({ unrepaired: _unrepaired, ...counts }: Counts, repaired: number): ComparisonResult {
  const { compared, differing, undecided, notComparable } = counts;
  const equal = Math.max(0, compared - differing - undecided - notComparable);
  return { ...counts, equal, repaired };
}
