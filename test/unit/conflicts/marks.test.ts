import { describe, expect, it } from 'vitest';
import { answerToMark, Marks } from '../../../src/conflicts/marks.js';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { messageFault } from '../../../src/protocol/messages/messages.js';
import { encodeMark, type Mark, parseMark } from '../../../src/protocol/messages/mark.js';
import { keyNames } from '../../../src/redis/keys.js';

const KEYS = keyNames({ prefix: 'tandem', pair: 'test' });

function argumentsOf(bytes: Buffer): Buffer[] {
  const reader = new CommandReader();
  reader.push(Buffer.from(bytes));
  expect(reader.next()).toBe(true);
  return reader.arguments();
}

function mark(number: number, first: Mark['first'] = '-', second: Mark['second'] = '-'): Mark {
  return { session: 'abc-1', number, first, second };
}

/** Two sites between which one mark goes to and fro; `asks`: how many keys each asks for at which crossing. */
function crossingsOf(asks: { readonly [crossing: number]: number }): Mark[] {
  const asked = [0, 0];
  const [begun, other] = [0, 1].map(
    (site) =>
      new Marks({
        acknowledgements: {
          get askedCount() {
            return asked[site]!;
          },
        },
        gaps: { open: undefined, isCopied: true },
      }),
  );
  const seen: Mark[] = [];
  let next: Mark | undefined = mark(0);
  while (next) {
    const site = next.number % 2;
    asked[site]! += asks[next.number] ?? 0;
    const sent = parseMark(argumentsOf([begun, other][site]!.told(argumentsOf(encodeMark(next)))));
    seen.push(sent);
    const answer = argumentsOf(answerToMark(argumentsOf(encodeMark(sent)), KEYS));
    const bytes = answer.at(-1)!;
    next = bytes.length === 0 ? undefined : parseMark(argumentsOf(bytes));
  }
  return seen;
}

describe('a mark', () => {
  it('comes back as it went', () => {
    const args = argumentsOf(encodeMark(mark(3, 'q', 'a')));
    expect(messageFault(args)).toBeUndefined();
    expect(parseMark(args)).toEqual(mark(3, 'q', 'a'));
  });

  it.each([
    ['TANDEM.MARK'],
    ['TANDEM.MARK abc 1 q'],
    ['TANDEM.MARK abc 1 q q q'],
    ['TANDEM.MARK abc 1 x q'],
    ['TANDEM.MARK abc one q q'],
    ['TANDEM.MARK a_b 1 q q'],
  ])('is none: %s', (text) => {
    expect(messageFault(text.split(' ').map((word) => Buffer.from(word)))).toBeDefined();
  });

  it('crosses four times where nobody asks', () => {
    const crossings = crossingsOf({});
    expect(crossings.map(({ number }) => number)).toEqual([0, 1, 2, 3]);
    expect(crossings.at(-1)).toEqual(mark(3, 'q', 'q'));
  });

  it.each([
    [1, 4],
    [2, 6],
    [3, 6],
  ])('goes on until a round in which neither site asks: asked at crossing %d, over after %d', (at, count) => {
    const crossings = crossingsOf({ [at]: 3 });
    expect(crossings.length).toBe(count);
    expect(crossings.at(-1)).toEqual(mark(count - 1, 'q', 'q'));
  });

  it('ends although a site asks all the time', () => {
    const asks = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [at, 1]));
    expect(crossingsOf(asks).length).toBe(16);
  });

  it('tells a gap, and a first copy that is not done', () => {
    const told = (isCut: boolean, isCopied: boolean): Mark =>
      parseMark(
        argumentsOf(
          new Marks({
            acknowledgements: { askedCount: 0 },
            gaps: { open: isCut ? {} : undefined, isCopied },
          }).told(argumentsOf(encodeMark(mark(2, 'q', 'q')))),
        ),
      );
    expect([told(true, false), told(true, true), told(false, false)].map(({ first }) => first)).toEqual([
      'c',
      'c',
      'f',
    ]);
  });
});
