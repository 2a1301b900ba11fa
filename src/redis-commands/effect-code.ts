import type { Effect } from './command-table.js';

/**
 * What is kept of a write: what its command does, or that it is a state, one of old data, a request of Tandem's own, the end of a
 * key's or a field's life, word of an entry that is gone, or an entry that is added where it arrives.
 */
export type RecordedEffect =
  | Effect
  | 'state'
  | 'copy'
  | 'need'
  | 'expired'
  | 'gone'
  | 'arrival'
  | 'field-expired';

/** Every effect, in a fixed order: its place here is its code where a byte must do. */
const EFFECTS = [
  'unknown',
  'set',
  'remove',
  'expire',
  'cells',
  'cell-remove',
  'member',
  'member-remove',
  'member-pop',
  'cell-expire',
  'sum',
  'field-sum',
  'score-sum',
  'union',
  'push-left',
  'push-right',
  'pop-left',
  'pop-right',
  'pops-left',
  'pops-right',
  'list-edit',
  'entry',
  'entry-trim',
  'entry-remove',
  'delivery',
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
  'copy',
  'expired',
  'gone',
  'arrival',
  'field-expired',
] as const satisfies readonly RecordedEffect[];

const CODES: ReadonlyMap<RecordedEffect, number> = new Map(EFFECTS.map((effect, code) => [effect, code]));

/** How many codes there are: each is less. */
export const EFFECT_CODES = EFFECTS.length;

/** Whether it is of Tandem's own making, and writes nothing here. */
export function isTandems(effect: RecordedEffect): boolean {
  return effect === 'state' || effect === 'copy' || effect === 'need';
}

export function effectCode(effect: RecordedEffect): number {
  return CODES.get(effect)!;
}

/** The codes of several effects. */
export function codesOf(...effects: readonly RecordedEffect[]): ReadonlySet<number> {
  return new Set(effects.map(effectCode));
}

export function effectOfCode(code: number): RecordedEffect {
  return EFFECTS[code] ?? 'unknown';
}

/**
 * With which own effects an incoming one comes out the same in either order. What is done to entries of streams does so if it is done
 * to different ones, which shows afterwards (`src/local-writes/local-entries.ts`), and so does what is done to members of sorted sets
 * (`src/local-writes/unseen-members.ts`). Two expiries do not: the longer life stays.
 */
const COMMUTING: ReadonlyMap<number, ReadonlySet<number>> = new Map(
  (
    [
      ['sum', ['sum', 'expire']],
      ['field-sum', ['field-sum', 'expire']],
      ['score-sum', ['score-sum', 'expire']],
      ['union', ['union']],
      ['member', ['member', 'member-remove', 'member-pop', 'need', 'expire']],
      ['member-remove', ['member', 'member-remove', 'member-pop', 'need']],
      ['expired', ['expired']],
      // The other site runs it again on a state, and keeps it from a trim, that had not seen it.
      [
        'entry',
        ['entry', 'entry-trim', 'entry-remove', 'delivery', 'gone', 'arrival', 'need', 'state', 'copy'],
      ],
      ['entry-remove', ['entry', 'entry-remove', 'delivery', 'gone']],
      ['entry-trim', ['entry', 'entry-trim', 'delivery', 'gone', 'arrival', 'need']],
      ['delivery', ['entry', 'entry-remove', 'entry-trim', 'gone']],
      ['arrival', ['arrival', 'entry', 'entry-trim']],
      ['gone', ['entry', 'entry-remove', 'entry-trim', 'delivery', 'gone']],
    ] as const
  ).map(([effect, others]) => [effectCode(effect), new Set(others.map(effectCode))]),
);

const codes = (...effects: RecordedEffect[]): number[] => effects.map(effectCode);
/** Whatever takes off at an end: a push goes beyond it. */
const TAKEN = codes('pop-left', 'pop-right', 'pops-left', 'pops-right');
/** A push takes nothing from what a state or a request stands for, nor from an expiry. */
const BENEATH = codes('state', 'copy', 'need', 'expire');
/** Own effects past which a push at an end runs as it is; of two pushes at one end the smaller site name stands further to the left. */
const PAST_LEFT = [...TAKEN, ...BENEATH, effectCode('push-right')];
const PAST_RIGHT = [...TAKEN, ...BENEATH, effectCode('push-left')];
const FREE: Readonly<Record<'first' | 'second', ReadonlyMap<number, ReadonlySet<number>>>> = {
  first: new Map([
    [effectCode('push-left'), new Set([...PAST_LEFT, effectCode('push-left')])],
    [effectCode('push-right'), new Set(PAST_RIGHT)],
    [effectCode('pop-left'), new Set(codes('push-right'))],
    [effectCode('pop-right'), new Set(codes('push-left'))],
  ]),
  second: new Map([
    [effectCode('push-left'), new Set(PAST_LEFT)],
    [effectCode('push-right'), new Set([...PAST_RIGHT, effectCode('push-right')])],
    [effectCode('pop-left'), new Set(codes('push-right'))],
    [effectCode('pop-right'), new Set(codes('push-left'))],
  ]),
};

/**
 * The codes of the own effects behind which an incoming one means the same, and comes to the same, when it runs as it is, though its
 * sender had not seen them; nothing where there are none such.
 *
 * At the ends of a list that holds whatever else is in it: a push goes beyond what was popped, and beyond what was pushed at the
 * other end; a pop of one element takes what its sender had last at that end, where here only the other one was pushed at.
 *
 * @param isSenderFirst whether the other site has the smaller name
 */
export function commutingWith(code: number, isSenderFirst: boolean): ReadonlySet<number> | undefined {
  const free = FREE[isSenderFirst ? 'first' : 'second'].get(code);
  return free ?? COMMUTING.get(code);
}

/** Whether an effect takes one element from an end of a list. */
export function isPop(code: number): boolean {
  return code === effectCode('pop-left') || code === effectCode('pop-right');
}

/** Own effects whose places an incoming push at an end leaves behind: they are to be remembered then, or doubted. */
const PASSED: ReadonlyMap<number, ReadonlySet<number>> = new Map([
  [effectCode('push-left'), new Set(codes('push-left', 'pop-left', 'pops-left', 'pops-right'))],
  [effectCode('push-right'), new Set(codes('push-right', 'pop-right', 'pops-left', 'pops-right'))],
]);

/** Whether an incoming push goes past a local write at the end that this one was made at, or past a pop that may have emptied the list. */
export function passes(code: number, own: number): boolean {
  return PASSED.get(code)?.has(own) === true;
}

/** Whether an effect puts elements at an end of a list. */
export function isPush(code: number): boolean {
  return PASSED.has(code);
}

/** Whether an effect is one of a single command at an end of a list. */
export function isAtEnd(effect: RecordedEffect): boolean {
  const code = effectCode(effect);
  return isPush(code) || isPop(code);
}

const LIST_ENDS: ReadonlySet<number> = new Set([...codes('push-left', 'push-right'), ...TAKEN]);

/** Whether an effect is at an end of a list, of however many elements. */
export function isListEnd(code: number): boolean {
  return LIST_ENDS.has(code);
}

const ON_MEMBERS: ReadonlySet<number> = codesOf('member', 'member-remove');

/** Whether an effect is on single members of a sorted set. */
export function isOnMembers(code: number): boolean {
  return ON_MEMBERS.has(code);
}
