import type { Change } from './rules/write.js';

/** How a site forgets what it remembers of lists when its process starts again. */
export type Restart = 'remembers' | 'forgets';

/** A decision that has been taken and not yet carried out. */
export interface Decision {
  readonly run: readonly Change[];
  /** The last own sequence it takes into account. */
  readonly decided: number;
}

/** A state to be sent: its time, and whether it answers one whose value may lack what nobody took. */
export interface Answer {
  readonly at: number;
  readonly isWhole: boolean;
}
