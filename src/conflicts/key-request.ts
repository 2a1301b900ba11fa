/**
 * Whether the peer is asked for the state of a key, while one batch is planned.
 *
 *     nothing is in question        an earlier request is on its way
 *            ┌──────┐                          ┌──────┐
 *            │ none │                          │ open │ ⟲ leave-out
 *            └──┬───┘                          └──┬───┘
 *   ask         │                                 │  ask
 *   leave-out   │                                 │  leave-out-more
 *   leave-out-  ▼                                 ▼
 *   more     ┌───────┐                        ┌───────┐
 *            │ asked │ ⟲ any                  │ again │ ⟲ any
 *            └───────┘                        └───────┘
 *          this batch asks             this batch asks once more
 *
 * A batch never takes a request back: the answer settles what was in question, in a later batch.
 */

export type KeyRequest = 'none' | 'open' | 'asked' | 'again';

/**
 * - `ask`: a rule, or a request of the peer's, calls for the peer's state.
 * - `leave-out`: a change is left out here, and the open request says that the value lacks as much.
 * - `leave-out-more`: a change is left out here, and no open request says so.
 */
export type RequestEvent = 'ask' | 'leave-out' | 'leave-out-more';

const NEXT: Readonly<Record<KeyRequest, Readonly<Record<RequestEvent, KeyRequest>>>> = {
  none: { ask: 'asked', 'leave-out': 'asked', 'leave-out-more': 'asked' },
  open: { ask: 'again', 'leave-out': 'open', 'leave-out-more': 'again' },
  asked: { ask: 'asked', 'leave-out': 'asked', 'leave-out-more': 'asked' },
  again: { ask: 'again', 'leave-out': 'again', 'leave-out-more': 'again' },
};

/**
 * How a key begins.
 * @param key `isAsking`: an earlier request is on its way; `isContended`: the key is contended, so that only the peer's state settles it
 */
export function requestAtFirst({
  isAsking,
  isContended,
}: {
  isAsking: boolean;
  isContended: boolean;
}): KeyRequest {
  if (isAsking) return 'open';
  return isContended ? 'asked' : 'none';
}

export function requestAfter(request: KeyRequest, event: RequestEvent): KeyRequest {
  return NEXT[request][event];
}

/** Whether the plan asks the peer. */
export function asks(request: KeyRequest): boolean {
  return request === 'asked' || request === 'again';
}

/** Whether an earlier request is on its way. */
export function isOpen(request: KeyRequest): boolean {
  return request === 'open' || request === 'again';
}
