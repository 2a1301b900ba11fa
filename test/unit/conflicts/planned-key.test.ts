import { ENDLESS, ENDLESS_FIELD } from '../../support/life.js';
import { describe, expect, test } from 'vitest';
import { PlannedKey } from '../../../src/conflicts/planned-key.js';
import { asks, isOpen, requestAfter, requestAtFirst } from '../../../src/conflicts/key-request.js';
import { NOTHING_ON_KEY } from '../../../src/local-writes/unseen-on-key.js';
import { UNKNOWN } from '../../../src/conflicts/rules/rule-context.js';
import type { Piece } from '../../../src/pieces/piece.js';
import { LACK, type Lack } from '../../../src/protocol/messages/state-request.js';

const KEY = { database: 0, key: Buffer.from('k') };

function run({
  isContended = false,
  lack = LACK.nothing,
  asked,
}: {
  isContended?: boolean;
  lack?: Lack;
  /** What an open request says. */
  asked?: Lack;
}): PlannedKey {
  return new PlannedKey({
    key: KEY,
    site: 'east',
    local: asked === undefined ? NOTHING_ON_KEY : { ...NOTHING_ON_KEY, isAsking: true, lack: asked },
    held: UNKNOWN,
    known: undefined,
    isDoubtful: () => false,
    isContended,
    isMisplaced: false,
    lack,
    timestamp: 5,
    seen: 0,
    decided: 0,
    applied: 'applied',
    life: ENDLESS,
    fields: { of: () => ENDLESS_FIELD, endedThrough: () => 0 },
    out: 'out',
  });
}

describe('a request for the state', () => {
  const need = { timestamp: 7, keys: [KEY], lack: LACK.nothing };

  test('is answered by a site that can look at the key', () => {
    expect(run({}).answers(need)).toBe(true);
  });

  test('is asked back while the key cannot be looked at, at either site', () => {
    expect(run({}).answers({ ...need, isContended: true })).toBe(false);
    expect(run({ isContended: true }).answers(need)).toBe(false);
  });

  test('is asked back by a site whose value lacks worse than that of the asker', () => {
    expect(run({ lack: LACK.peerRemovals }).answers(need)).toBe(false);
    expect(run({ lack: LACK.peerWrites }).answers({ ...need, lack: LACK.peerRemovals })).toBe(false);
    expect(run({ lack: LACK.peerRemovals }).answers({ ...need, lack: LACK.peerRemovals })).toBe(true);
  });

  test('is asked back with what the asker has said of its own value, so that one who has begun again knows it', () => {
    const asked = run({});
    asked.askBack(LACK.peerRemovals);
    expect(asked).toMatchObject({ isAsked: true, askedLack: LACK.nothing, theirLack: LACK.peerRemovals });
    const forgetful = run({});
    forgetful.remindOf(LACK.peerRemovals);
    expect(forgetful.answers(need)).toBe(false);
  });

  test('is answered with a further one behind the answer, where one is open: the peer may count that for settled', () => {
    const asking = run({ asked: LACK.peerWrites });
    asking.askBehindAnswer();
    expect(asking).toMatchObject({ isAsked: true, askedLack: LACK.peerWrites, theirLack: LACK.nothing });
    const quiet = run({});
    quiet.askBehindAnswer();
    expect(quiet.isAsked).toBe(false);
  });

  test('is answered in any case when the asker has lost local writes, or repairs', () => {
    expect(
      run({ isContended: true, lack: LACK.localWrites }).answers({ ...need, lack: LACK.localWrites }),
    ).toBe(true);
    expect(run({ isContended: true }).answers({ ...need, timestamp: 0 })).toBe(true);
  });

  test('is answered by a value that lacks something with the lowest rank', () => {
    const lacking = run({ lack: LACK.peerRemovals });
    lacking.sendState(7);
    expect(lacking.state?.timestamp).toBe(0);
  });
});

describe('what was left out', () => {
  test('is in the request, on a key that cannot be looked at as on any other', () => {
    for (const isContended of [false, true]) {
      const planned = run({ isContended });
      planned.askForDerived();
      expect(planned).toMatchObject({ isAsked: true, askedLack: LACK.peerWrites });
    }
  });

  test('is asked for again where the open request does not say that it is lacking', () => {
    const saysLess = run({ asked: LACK.peerRemovals });
    saysLess.askForDerived();
    expect(saysLess).toMatchObject({ isAsked: true, askedLack: LACK.peerWrites });
    const saysAll = run({ asked: LACK.peerWrites });
    saysAll.askForDerived();
    expect(saysAll.isAsked).toBe(false);
  });

  test('on a key that cannot be looked at is in a further request, unless one has said so before', () => {
    const left = { commands: [], outcome: 'state-asked', held: UNKNOWN, leaves: LACK.peerWrites } as const;
    const piece = { role: 'key-head' } as Piece;
    for (const lack of [LACK.nothing, LACK.peerWrites]) {
      const planned = run({ isContended: true, asked: LACK.nothing, lack });
      planned.settled(piece, left);
      expect(planned).toMatchObject({ isAsked: lack === LACK.nothing, askedLack: LACK.peerWrites });
    }
  });

  test('on a key that cannot be looked at is known here until a state comes', () => {
    const planned = run({ isContended: true, asked: LACK.nothing });
    planned.askForDerived();
    expect(planned.lack).toBe(LACK.peerWrites);
    expect(planned.answers({ timestamp: 7, keys: [KEY], lack: LACK.nothing })).toBe(false);
  });

  test('is not sent to the one who has taken it away, as the state of a value that stays', () => {
    const stays = { commands: [], outcome: 'own-stays', held: UNKNOWN, state: 7 } as const;
    const piece = { role: 'cell' } as Piece;
    for (const planned of [
      run({ isContended: true, lack: LACK.peerRemovals }),
      run({ asked: LACK.peerWrites }),
    ]) {
      planned.settled(piece, stays);
      expect(planned.state).toBeUndefined();
    }
    const whole = run({ asked: LACK.nothing });
    whole.settled(piece, stays);
    expect(whole.state?.timestamp).toBe(7);
  });
});

describe('whether the peer is asked', () => {
  const STATES = ['none', 'open', 'asked', 'again'] as const;
  const EVENTS = ['ask', 'leave-out', 'leave-out-more'] as const;

  test('is never taken back, and an open request stays open', () => {
    for (const state of STATES)
      for (const event of EVENTS) {
        const next = requestAfter(state, event);
        expect([isOpen(next), asks(next) || !asks(state)], `${state}, ${event}`).toEqual([
          isOpen(state),
          true,
        ]);
      }
  });

  test('is no new question where the open request says as much', () => {
    expect(requestAfter('open', 'leave-out')).toBe('open');
    expect(requestAfter('open', 'leave-out-more')).toBe('again');
  });

  test('begins with a question for a contended key without an open request', () => {
    expect(requestAtFirst({ isAsking: false, isContended: true })).toBe('asked');
    expect(requestAtFirst({ isAsking: true, isContended: true })).toBe('open');
    expect(requestAtFirst({ isAsking: false, isContended: false })).toBe('none');
  });
});
