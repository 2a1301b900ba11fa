/**
 * Streams: entries are cells keyed by ID. Two additions both stay, in the order of their IDs; of two with one ID the later stays.
 * A trim takes off what its sender had, and leaves what was added here meanwhile. Groups and pending entries are as they come.
 */

import type { Argument } from '../../change/encode-command.js';
import { scriptSource } from '../../lua/scripts.js';
import { isAbove, type Meeting, type Piece, type Resolution } from './meeting.js';

/** An `XADD` or `XTRIM` taken apart. */
interface StreamWords {
  readonly id?: string;
  readonly fields: readonly Argument[];
  readonly trim?: { readonly strategy: string; readonly limit: Argument };
}

/** @param own the own pieces after the last own key head */
export function resolveStream({ incoming, own }: Meeting): Resolution {
  const name = nameOf(incoming);
  if (name !== 'XADD' && name !== 'XTRIM') return { commands: incoming.commands, outcome: 'merged' };
  const words = wordsOf(incoming);
  const key = incoming.commands[0]![1]!;
  const commands: (readonly Argument[])[] = [];
  const added = own
    .filter((piece) => nameOf(piece) === 'XADD')
    .map((piece) => ({ piece, id: wordsOf(piece).id! }));
  const same = added.findLast(({ id }) => id === words.id);
  const ownStays = same !== undefined && isAbove(same.piece.rank, incoming.rank);
  if (words.id !== undefined && !ownStays)
    commands.push(insertion(key, [[words.id, words.fields.length, ...words.fields]]));
  if (words.trim) {
    const { strategy, limit } = words.trim;
    commands.push(['EVAL', scriptSource('cut'), 1, key, strategy, limit, ...added.map(({ id }) => id)]);
  }
  return { commands, outcome: ownStays ? 'own-stays' : 'merged' };
}

/** A deletion by ID or a trim takes an entry out of what the other's trim counts, and out of what a delivery finds. */
export function clashesInStream(first: Piece, second: Piece): boolean {
  const removes = (piece: Piece): boolean => nameOf(piece) === 'XDEL' || wordsOf(piece).trim !== undefined;
  const counts = (piece: Piece): boolean => wordsOf(piece).trim !== undefined || nameOf(piece) === 'XCLAIM';
  const other = (piece: Piece): boolean => nameOf(piece) === 'XSETID';
  return (
    (removes(first) && counts(second)) || (removes(second) && counts(first)) || other(first) || other(second)
  );
}

/** Entries, each as ID, number of fields and values, fields and values. */
function insertion(key: Argument, entries: readonly (readonly Argument[])[]): Argument[] {
  return ['EVAL', scriptSource('insert'), 1, key, ...entries.flat()];
}

function nameOf(piece: Piece): string {
  return String(piece.commands[0]![0]).toUpperCase();
}

function wordsOf(piece: Piece): StreamWords {
  const args = piece.commands[0]!;
  const name = nameOf(piece);
  if (name !== 'XADD' && name !== 'XTRIM') return { fields: [] };
  let trim: StreamWords['trim'];
  let at = 2;
  while (at < args.length) {
    const word = String(args[at]).toUpperCase();
    if (word === 'MAXLEN' || word === 'MINID') {
      const sign = String(args[at + 1]);
      const limitAt = sign === '=' || sign === '~' ? at + 2 : at + 1;
      trim = { strategy: word, limit: args[limitAt]! };
      at = limitAt + 1;
    } else if (word === 'LIMIT') at += 2;
    else if (/^(NOMKSTREAM|KEEPREF|DELREF|ACKED)$/.test(word)) at++;
    else break;
  }
  const rest = trim ? { trim } : {};
  return name === 'XTRIM'
    ? { fields: [], ...rest }
    : { id: String(args[at]), fields: args.slice(at + 1), ...rest };
}
