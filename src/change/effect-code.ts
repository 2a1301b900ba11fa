import type { Effect } from './commands.js';

/** What is kept of a write: what its command does, or that it is a state or a request of Tandem's own. */
export type RecordedEffect = Effect | 'state' | 'need';

/** Every effect, in a fixed order: its place here is its code where a byte must do. */
const EFFECTS = [
  'unknown',
  'set',
  'remove',
  'expire',
  'cells',
  'cell-remove',
  'cell-expire',
  'sum',
  'field-sum',
  'score-sum',
  'union',
  'push',
  'pop',
  'list-edit',
  'stream',
  'modify',
  'derive',
  'move',
  'publish',
  'function',
  'flush',
  'swap',
  'none',
  'state',
  'need',
] as const satisfies readonly RecordedEffect[];

const CODES: ReadonlyMap<RecordedEffect, number> = new Map(EFFECTS.map((effect, code) => [effect, code]));

export function effectCode(effect: RecordedEffect): number {
  return CODES.get(effect)!;
}

export function effectOfCode(code: number): RecordedEffect {
  return EFFECTS[code] ?? 'unknown';
}

/** Effects that come out the same in either order. */
const COMMUTING: readonly ReadonlySet<number>[] = [
  new Set([effectCode('sum'), effectCode('expire')]),
  new Set([effectCode('field-sum'), effectCode('expire')]),
  new Set([effectCode('score-sum'), effectCode('expire')]),
  new Set([effectCode('union')]),
];

/** The codes of the effects that commute with this one, itself among them; nothing when it does not commute with its own kind. */
export function commutingWith(code: number): ReadonlySet<number> | undefined {
  // Two expiries do not: the longer life stays.
  return code === effectCode('expire') ? undefined : COMMUTING.find((codes) => codes.has(code));
}
