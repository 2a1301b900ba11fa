import type { FieldLife } from '../../src/conflicts/rules/rule-context.js';
import type { Life } from '../../src/conflicts/rules/rule-context.js';
import { Deadlines } from '../../src/local-writes/deadlines.js';

/** The life of a key of which nothing has ended, and that has no deadline. */
export const ENDLESS: Life & { readonly endedThrough: number } = {
  now: 1000,
  deadline: 'none',
  isDoubtful: false,
  matchedThrough: 0,
  madeAgainBy: Infinity,
  forgottenThrough: 0,
  isOver: false,
  askedAt: 0,
  leavesOut: false,
  endedThrough: 0,
};

/** Deadlines of a server on which no key has one. */
export function noDeadlines(): Deadlines {
  const deadlines = new Deadlines();
  deadlines.loading(0);
  deadlines.completed();
  return deadlines;
}

/** A field that has never had one. */
export const ENDLESS_FIELD: FieldLife = {
  deadline: 'none',
  isLiving: false,
  matchedThrough: 0,
  madeAgainBy: Infinity,
  forgottenThrough: 0,
};
