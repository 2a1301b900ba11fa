import { describe, expect, it } from 'vitest';
import { CommandReader } from '../../../../src/redis-commands/command-reader.js';
import { DIGEST_MESSAGE, encodeDigest, parseDigest } from '../../../../src/protocol/messages/digest.js';
import {
  DIGESTED,
  DIGESTED_MESSAGE,
  digestedAbout,
  encodeDigested,
  leftOut,
  parseDigested,
} from '../../../../src/protocol/messages/digested.js';
import {
  isForLongWork,
  isMessage,
  isQuestionOrAnswer,
  messageFault,
} from '../../../../src/protocol/messages/messages.js';

const QUESTION = { session: 'a1', number: 7, database: 3, key: Buffer.from('\x00key', 'latin1') };
const ENTRY = 'h0123456789abcdef:1900000000000!';

function read(command: Buffer): Buffer[] {
  const reader = new CommandReader();
  reader.push(command);
  expect(reader.next()).toBe(true);
  return reader.arguments();
}

const about = { gap: undefined, isNew: true, claim: { ownMs: 5, peerMs: 0 } };

describe('what is said of a value that is digested in parts', () => {
  it('comes out as it went in, and is for long work', () => {
    const question = read(encodeDigest(QUESTION));
    expect(parseDigest(question)).toEqual(QUESTION);
    const answer = digestedAbout(read(encodeDigested(QUESTION, ENTRY, 99)), about);
    expect(parseDigested(answer)).toEqual({
      ...QUESTION,
      entry: ENTRY,
      bytes: 99,
      isNewThere: true,
      claim: about.claim,
      cut: undefined,
    });
    for (const [kind, args] of [
      [DIGEST_MESSAGE, question],
      [DIGESTED_MESSAGE, answer],
    ] as const) {
      const name = String(args[0]);
      expect([isQuestionOrAnswer(name), isForLongWork(name), isMessage(args)]).toEqual([true, true, true]);
      expect(kind.keys(args)).toEqual([{ database: 3, key: QUESTION.key }]);
    }
  });

  it('says nothing but that, of a key that is left out', () => {
    const answer = leftOut(digestedAbout(read(encodeDigested(QUESTION, ENTRY, 99)), about));
    expect(messageFault(answer)).toBeUndefined();
    expect(parseDigested(answer)).toMatchObject({ entry: 'x', bytes: 0, isNewThere: false });
  });

  it.each([
    ['TANDEM.DIGEST a1 7 0', 'names no key'],
    ['TANDEM.DIGEST a1 7 x key', 'names no key'],
    ['TANDEM.DIGEST a1 x 0 key', 'names no question'],
    ['TANDEM.DIGESTED a1 7 - 0 key - 0', 'says nothing'],
    ['TANDEM.DIGESTED a1 7 - x key - 0 -', 'says nothing'],
    ['TANDEM.DIGESTED a1 7 ? 0 key - 0 -', 'says nothing'],
    ['TANDEM.DIGESTED a1 7 - 0 key h12 0 -', 'says nothing'],
    ['TANDEM.DIGESTED a1 7 - 0 key - x -', 'says nothing'],
    ['TANDEM.DIGESTED a1 7 - 0 key - 0 @1', 'says nothing'],
  ])('is refused when it is not well-formed: %s', (text, fault) => {
    expect(messageFault(text.split(' ').map((word) => Buffer.from(word)))).toContain(fault);
  });

  it.each(['-', '*', 'x', 'h0123456789abcdef'])('may have the entry %s', (entry) => {
    const args = [DIGESTED, 'a1', '7', '-', '0', 'key', entry, '0', '-'];
    expect(messageFault(args.map((word) => Buffer.from(word)))).toBeUndefined();
  });
});
