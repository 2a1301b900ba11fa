import { beforeEach, describe, expect, test } from 'vitest';
import { FieldDeadlines } from '../../../src/local-writes/field-deadlines.js';

const HASH = [1, 2] as const;
const [SOON, LATER] = [Date.now() - 1000, Date.now() + 60_000];

let deadlines: FieldDeadlines;

beforeEach(() => {
  deadlines = new FieldDeadlines();
});

/** A batch of the peer's comes round in the stream, and what it says there. */
function round(batch: number, own: number, says: () => void = () => {}): void {
  deadlines.coming.comingRound(batch);
  says();
  deadlines.cameRound(own);
}

describe('a deadline that the peer gives', () => {
  test('is known from the plan on, and of no account for what the stream says', () => {
    deadlines.coming.begin(5, 0);
    deadlines.comes(...HASH, 'f', SOON, 5);
    expect(deadlines.living(...HASH, 'f')).toBe(SOON);
    expect(deadlines.passed(...HASH, 'f')).toBeUndefined();
    round(5, 9, () => deadlines.given(...HASH, 'f', SOON));
    expect(deadlines.passed(...HASH, 'f')).toBe(SOON);
    expect(deadlines.coming.isEmpty).toBe(true);
  });

  test('to a field that is not here holds until the peer has seen what was written here by then', () => {
    deadlines.coming.begin(5, 0);
    deadlines.comes(...HASH, 'f', SOON, 5);
    round(5, 9);
    deadlines.coming.begin(6, 8);
    expect(deadlines.living(...HASH, 'f')).toBe(SOON);
    deadlines.coming.begin(7, 9);
    expect(deadlines.living(...HASH, 'f')).toBeUndefined();
    expect(deadlines.has(...HASH)).toBe(false);
  });

  test('is one that a batch which is decided again has not given', () => {
    deadlines.coming.begin(5, 0);
    deadlines.comes(...HASH, 'f', SOON, 5);
    deadlines.coming.begin(6, 0);
    deadlines.comes(...HASH, 'f', LATER, 6);
    expect(deadlines.living(...HASH, 'f')).toBe(LATER);
    deadlines.coming.begin(6, 0);
    expect(deadlines.living(...HASH, 'f')).toBe(SOON);
  });

  test('stays where a batch before it comes round', () => {
    deadlines.comes(...HASH, 'f', SOON, 5);
    deadlines.comes(...HASH, 'f', LATER, 6);
    round(5, 9, () => deadlines.given(...HASH, 'f', SOON));
    expect(deadlines.living(...HASH, 'f')).toBe(LATER);
    round(6, 10, () => deadlines.given(...HASH, 'f', LATER));
    expect(deadlines.coming.isEmpty).toBe(true);
  });

  test('is over with its hash', () => {
    deadlines.comes(...HASH, 'f', SOON, 5);
    round(5, 9);
    deadlines.comesDropped(...HASH, 6);
    expect(deadlines.living(...HASH, 'f')).toBeUndefined();
    round(6, 10);
    expect(deadlines.has(...HASH)).toBe(false);
  });
});

test('what the peer removes, and stays here, keeps its deadline', () => {
  deadlines.given(...HASH, 'f', LATER);
  deadlines.comesRemoved(...HASH, 'f', 5);
  expect(deadlines.living(...HASH, 'f')).toBeUndefined();
  expect(deadlines.of(...HASH, 'f')).toBe(LATER);
  round(5, 9);
  expect(deadlines.living(...HASH, 'f')).toBe(LATER);
});

test('so many deadlines of fields that are not here are remembered, and then it is not known whether a field has one', () => {
  for (let at = 0; at <= 16_384; at++) deadlines.comes(...HASH, `f${at}`, LATER, 5);
  round(5, 9);
  expect(deadlines.living(...HASH, 'f0')).toBeUndefined();
  expect(deadlines.living(...HASH, 'f1')).toBe(LATER);
  expect(deadlines.of(...HASH, 'f0')).toBe('unknown');
});

test('so many deadlines of fields are remembered in all, also where they are those of one hash', () => {
  for (let at = 0; at < 131_072; at++) deadlines.given(...HASH, `f${at}`, LATER);
  expect(deadlines.of(...HASH, 'f0')).toBe(LATER);
  deadlines.given(...HASH, 'one more', LATER);
  expect(deadlines.of(...HASH, 'f0')).toBe('unknown');
});
