import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { clashes } from '../../src/conflicts/rules/clash.js';
import type { Piece } from '../../src/pieces/piece.js';
import { piecesOf } from '../../src/pieces/pieces.js';
import { messageEffect } from '../../src/protocol/messages/messages.js';
import { payloadCommands, type PayloadCommand } from '../../src/protocol/payload.js';
import { effectOf } from '../../src/redis-commands/command-table.js';
import { effectOfCode } from '../../src/redis-commands/effect-code.js';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';

const PAGE = readFileSync('docs/internals/conflicts.md', 'utf8');
const TABLE = /<!-- roles -->\n\n([^]*?)\n\n<!-- \/roles -->\n\n(.*)/.exec(PAGE)!;
const ALL = 'whatever builds on the key';
/** Two sorts of `ZADD`, told apart by this. */
const CONDITIONAL = '`ZADD` with a condition';

interface Example {
  readonly name: string;
  readonly effect: string;
  readonly pieces: readonly Piece[];
}

interface Row {
  readonly effects: readonly string[];
  readonly examples: readonly Example[];
  readonly role: string;
  readonly clash: string;
}

function inCode(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

function exampleOf(line: string): Example {
  const [command] = payloadCommands(encodeCommand(line.split(' '))) as Iterable<PayloadCommand>;
  const { spec, args, name } = command!;
  const effect = spec ? effectOf(spec, args) : (messageEffect(name, args) ?? 'unknown');
  const source = { command: command!, timestamp: 1, site: 'east', sequence: 1, seen: 0 };
  const pieces = piecesOf(source, Buffer.from('k'));
  return { name: line.includes(' GT ') ? CONDITIONAL : `\`${name}\``, effect, pieces };
}

const ROWS: readonly Row[] = TABLE[1]!
  .split('\n')
  .slice(2)
  .map((line) => {
    const [effects = '', examples = '', role = '', , clash = ''] = line.slice(2, -2).split(' | ');
    return { effects: inCode(effects), examples: inCode(examples).map(exampleOf), role, clash };
  });

/** Those of whose pieces a rule asks whether they clash. */
const BUILDS = ROWS.flatMap(({ examples }) => examples).filter(({ pieces }) =>
  pieces.every(({ role }) => !['key-head', 'state', 'derive', 'expiry'].includes(role)),
);

function isMet(one: Example, other: Example, meets: (a: Piece, b: Piece) => boolean): boolean {
  return one.pieces.some((a) => other.pieces.some((b) => a.type === b.type && meets(a, b)));
}

/** What the table should say of an example. */
function clashOf(example: Example): string {
  if (!BUILDS.includes(example)) return 'nothing';
  const ofType = BUILDS.filter((other) => isMet(example, other, () => true));
  const met = ofType.filter((other) => isMet(example, other, clashes));
  if (met.length === 0) return 'nothing';
  // A string that is set as a whole lies under all that builds on it.
  const isWhole = ({ pieces }: Example): boolean => pieces.some(({ name }) => name === 'SET');
  if (met.length === ofType.filter((other) => !isWhole(other)).length) return ALL;
  return met.map(({ name }) => name).join(', ');
}

describe('the table of effects, roles and rules', () => {
  it('has every effect, or says that it makes no piece', () => {
    const effects: string[] = [effectOfCode(0)];
    for (let code = 1; effectOfCode(code) !== 'unknown'; code++) effects.push(effectOfCode(code));
    const [without = ''] = TABLE[2]!.split(' make no piece');
    expect([...new Set([...ROWS.flatMap((row) => row.effects), ...inCode(without)])].toSorted()).toEqual(
      effects.toSorted(),
    );
  });

  it.each(ROWS)('has the effects and the role of $examples.0.name', ({ effects, examples, role }) => {
    expect(new Set(examples.map(({ effect }) => effect))).toEqual(new Set(effects));
    for (const { pieces } of examples) expect(pieces.map((piece) => `\`${piece.role}\``)).toEqual([role]);
  });

  it.each(ROWS)('says what $examples.0.name clashes with', ({ examples, clash }) => {
    for (const example of examples)
      expect(new Set(clashOf(example).split(', '))).toEqual(new Set(clash.split(':')[0]!.split(', ')));
  });
});
