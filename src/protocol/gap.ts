/**
 * Whose value of a key stays behind a gap, where both sites have one and they differ. Both sites come to the same, whichever of them
 * asks: what it rests on is told with every answer of a comparison.
 *
 * A site with a gap of its own changes has all that the other one had sent it, and its own writes inside the gap. So alone it stands
 * above the other. One that came back with older data stands below any other. Between two of a kind the writes inside the gaps are
 * unknown. So the site that is known to have written the key last stays: one that has not written it never wins.
 */

/**
 * The changes that are missing behind a gap, and when it was found (ms since 1970). `local`: changes of its own, at the other site. `peer`:
 * changes at the site itself, which came back with older data.
 */
export interface Gap {
  readonly kind: 'own' | 'peer';
  readonly foundMs: number;
}

/** Told of what parts the sites, by whichever stage finds it. */
export interface GapEvents {
  /**
   * Changes are missing, and the sites are to be compared.
   * @param whose the site whose values count where the sites now differ
   * @param isSame whether the gap is one with the last one, which was told of
   */
  gap(whose: Gap['kind'], isSame?: boolean): void;
  /** The peer's Redis was brought up from a copy of this one: nothing need be copied, and old questions are not answered. */
  adopted(): void;
}

/** The grounds for a site's value of a key. */
export interface Side {
  readonly site: string;
  /** The gap of its history that is not repaired. */
  readonly cut: Gap | undefined;
  /** When it last wrote the key, as far as either site knows; 0 when neither does. */
  readonly wroteMs: number;
}

const CUT = /^(?:-|(own|peer):(\d{1,16}))$/;

export function isGap(text: string): boolean {
  return CUT.test(text);
}

export function encodeGap(cut: Gap | undefined): string {
  return cut === undefined ? '-' : `${cut.kind}:${cut.foundMs}`;
}

/** @param text as {@link encodeGap} gave it */
export function parseGap(text: string): Gap | undefined {
  const [, kind, foundMs] = CUT.exec(text) ?? [];
  return kind === undefined ? undefined : { kind: kind as Gap['kind'], foundMs: Number(foundMs) };
}

/** Whether a site's value stands above, with or below that of a site that misses nothing. */
const STANDING = { own: 1, none: 0, peer: -1 } as const;

/** The side whose value stays. */
export function whoStays(first: Side, second: Side): Side {
  const standing = ({ cut }: Side): number => STANDING[cut?.kind ?? 'none'];
  const later = (by: (side: Side) => number): Side | undefined =>
    by(first) === by(second) ? undefined : by(first) > by(second) ? first : second;
  return (
    later(standing) ??
    later(({ wroteMs }) => wroteMs) ??
    later(({ cut }) => cut?.foundMs ?? 0) ??
    (first.site < second.site ? first : second)
  );
}
