import type { Argv } from './redis/store.js';
import { Site } from './site.js';

/** What two sites write without knowing of each other. */
export interface Meeting {
  /** What both hold before. */
  readonly start?: readonly Argv[];
  readonly east: readonly Argv[];
  readonly west: readonly Argv[];
  /** Which site's clock is ahead, so that its writes are the later ones. Default: west. */
  readonly later?: 'east' | 'west';
  /** Which site hears of the other first. Default: east. */
  readonly first?: 'east' | 'west';
}

const EARLY = 1000;
const LATE = 2000;
const ENOUGH = 100;

/**
 * Lets both sites write, then delivers until they are quiet: the outcome of any concurrent writes according to the rules.
 * @returns each site's data as a text; the rules are broken where they differ
 */
export function meet({ start = [], east: atEast, west: atWest, later = 'west', first = 'east' }: Meeting): {
  east: string;
  west: string;
} {
  let clocks = { east: 0, west: 0 };
  const east = new Site('east', () => clocks.east);
  const west = new Site('west', () => clocks.west);
  for (const argv of start) east.write(argv);
  settle(west, east);
  clocks = later === 'west' ? { east: EARLY, west: LATE } : { east: LATE, west: EARLY };
  for (const argv of atEast) east.write(argv);
  for (const argv of atWest) west.write(argv);
  if (first === 'east') settle(east, west);
  else settle(west, east);
  return { east: east.store.show(), west: west.store.show() };
}

/** Delivers everything one way, then everything the other way, until there is no more. */
function settle(to: Site, from: Site): void {
  for (let round = 0; to.out.length > 0 || from.out.length > 0; round++) {
    if (round > ENOUGH) throw new Error('the sites never fall quiet');
    deliver(to, from);
    deliver(from, to);
  }
}

function deliver(to: Site, from: Site): void {
  for (const change of from.out.splice(0)) to.apply(to.decide([change]));
}
