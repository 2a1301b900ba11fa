import { describe, expect, it } from 'vitest';
import { messageFault } from '../../../src/protocol/messages/messages.js';
import { ANSWER, parseAnswer, withMarks } from '../../../src/protocol/messages/answer.js';
import { encodeTurn } from '../../../src/protocol/messages/turn.js';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { type Gap, encodeGap, isGap, parseGap, type Side, whoStays } from '../../../src/protocol/gap.js';

const own = (foundMs: number): Gap => ({ kind: 'own', foundMs });
const peer = (foundMs: number): Gap => ({ kind: 'peer', foundMs });
const side = (site: string, cut: Gap | undefined, wroteMs: number): Side => ({ site, cut, wroteMs });

describe('whose value stays behind a cut', () => {
  it.each<[string, Side, Side]>([
    [
      'the site whose changes were missed, whoever wrote last',
      side('west', own(1), 5),
      side('east', undefined, 9),
    ],
    ['the site that has not come back with older data', side('west', undefined, 5), side('east', peer(1), 9)],
    [
      'not the one with older data, though the other one was cut as well',
      side('west', own(1), 0),
      side('east', peer(2), 9),
    ],
    ['of two that were cut, the one that wrote last', side('west', own(1), 6), side('east', own(2), 5)],
    [
      'of two that were cut, never the one that has not written',
      side('west', own(1), 1),
      side('east', own(2), 0),
    ],
    [
      'of two that came back older, the one that wrote last',
      side('west', peer(1), 6),
      side('east', peer(2), 5),
    ],
    [
      'of two that nobody knows to have written, the one that was cut last',
      side('west', own(3), 0),
      side('east', own(2), 0),
    ],
    ['where nothing tells them apart, the smaller name', side('east', own(2), 4), side('west', own(2), 4)],
  ])('is that of %s, whichever site asks', (_, stays, goes) => {
    expect(whoStays(stays, goes)).toBe(stays);
    expect(whoStays(goes, stays)).toBe(stays);
  });

  it('is written into an answer and read from it', () => {
    for (const cut of [undefined, own(1795222259609), peer(3)]) {
      expect(isGap(encodeGap(cut))).toBe(true);
      expect(parseGap(encodeGap(cut))).toEqual(cut);
    }
    for (const text of ['', 'own', 'own:', 'own:x', 'else:1', 'own:12345678901234567'])
      expect(isGap(text)).toBe(false);
  });
});

describe('an answer', () => {
  const key = { database: 3, key: Buffer.from('k') };
  const raw = (finding: string): Buffer[] =>
    [ANSWER, 'a1', '7', '40', '-', '3', 'k', finding].map((one) => Buffer.from(one));
  const marks = {
    isBusy: () => false,
    isNew: () => false,
    claimOf: () => ({ ownMs: 12, peerMs: 34 }),
    gap: own(9),
  };

  it('says who wrote the key when, and which cut is open', () => {
    const marked = withMarks(raw('v100'), { ...marks, isNew: () => true });
    expect(messageFault(marked)).toBeUndefined();
    expect(parseAnswer(marked)).toEqual({
      session: 'a1',
      number: 7,
      found: [
        {
          ...key,
          finding: 'value',
          bytes: 100,
          isNewThere: true,
          claim: { ownMs: 12, peerMs: 34 },
          cut: own(9),
        },
      ],
    });
  });

  it('says so of a key that was being written, too, and nothing of one that is equal', () => {
    const busy = withMarks(raw('v100'), { ...marks, isBusy: () => true });
    expect(parseAnswer(busy).found[0]).toMatchObject({ finding: 'busy', claim: { ownMs: 12, peerMs: 34 } });
    expect(parseAnswer(withMarks(raw('q'), marks)).found).toEqual([]);
  });

  it('without a claim or a cut is as short as before', () => {
    const marked = withMarks(raw('e5'), {
      ...marks,
      claimOf: () => ({ ownMs: 0, peerMs: 0 }),
      gap: undefined,
    });
    expect(marked.map(String)).toEqual([ANSWER, 'a1', '7', '40', '-', '3', 'k', 'e5']);
  });

  it.each(['v1@', 'v1@1', 'v1@1,', 'v1@1,x', 'v1@1,2,3', '@1,2'])(
    'is refused with the finding %s',
    (finding) => {
      expect(messageFault(raw(finding))).toBeDefined();
    },
  );
});

describe('a question that is to be turned', () => {
  const parsed = (bytes: Buffer): Buffer[] => {
    const reader = new CommandReader();
    reader.push(bytes);
    reader.next();
    return reader.arguments();
  };

  it('names keys, and is refused without one, or with half of one', () => {
    const args = parsed(
      encodeTurn({ session: 'a1', number: 1, keys: [{ database: 2, key: Buffer.from('k') }] }),
    );
    expect(messageFault(args)).toBeUndefined();
    expect(messageFault(args.slice(0, 3))).toBeDefined();
    expect(messageFault(args.slice(0, 4))).toBeDefined();
    expect(messageFault([...args.slice(0, 3), Buffer.from('x'), Buffer.from('k')])).toBeDefined();
  });
});
