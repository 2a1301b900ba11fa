/** Which of Tandem's own messages among the local writes leave a command of the peer's as it is. */

import { codesOf, effectCode } from '../redis-commands/effect-code.js';

const REQUEST = effectCode('need');
const [STATE, COPY] = [effectCode('state'), effectCode('copy')];
/** The peer runs these unchanged on a state that had not seen them, so their order with our state does not matter. */
const ON_STATES = codesOf('member', 'member-remove', 'entry');
/** Effects that come to the same whether the state of the key is requested or not. */
const UNASKED = codesOf(
  ...(['set', 'remove', 'expire', 'cells', 'cell-remove', 'member', 'member-remove'] as const),
  ...(['entry', 'entry-trim', 'sum', 'field-sum', 'score-sum', 'union'] as const),
);

/** Whether what Tandem itself has put into the stream changes nothing about a command of the peer's with this effect. */
export function isNoWrite(own: number, effect: number): boolean {
  // The value as it was then, and nothing that the other site had not seen: it meets there what was written since, as here.
  if (own === COPY) return effect !== STATE && effect !== COPY;
  if (own === STATE) return ON_STATES.has(effect);
  // A request: while one is open, these run all the same.
  return own === REQUEST && UNASKED.has(effect);
}
