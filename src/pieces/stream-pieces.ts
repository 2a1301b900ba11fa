/** Takes stream commands apart: an addition that trims is an addition and a trim. */

import { wholeId } from '../redis-commands/stream-id.js';
import { streamOptions } from '../redis-commands/options/stream-options.js';
import type { Argument } from '../redis-commands/encode-command.js';
import type { Piece } from './piece.js';

type Bare = Omit<Piece, 'role'>;

/** @param args of the command, the name first */
export function streamPieces(args: readonly Buffer[], bare: Bare): Piece[] {
  const key = args[1]!;
  const text = (at: number): string => args[at]?.toString('latin1') ?? '';
  switch (bare.name) {
    case 'XADD':
    case 'XTRIM':
      return addedOrTrimmed(args, bare);
    case 'XDEL':
      return args.slice(2).map((id) => ({
        ...bare,
        role: 'cell',
        command: ['XDEL', key, id],
        cell: `entry ${wholeId(id.toString('latin1'))}`,
        isRemoval: true,
      }));
    case 'XACK':
      return args.slice(3).map((id) => ({
        ...bare,
        role: 'cell',
        command: ['XACK', key, args[2]!, id],
        cell: `pending ${text(2)} ${wholeId(id.toString('latin1'))}`,
        group: text(2),
        isRemoval: true,
      }));
    case 'XCLAIM':
      return [
        { ...bare, role: 'cell', cell: `pending ${text(2)} ${wholeId(text(5) || '0')}`, group: text(2) },
      ];
    case 'XGROUP CREATE':
    case 'XGROUP DESTROY':
      return [
        {
          ...bare,
          role: 'cell',
          cell: `group ${text(3)}`,
          group: text(3),
          isRemoval: bare.name === 'XGROUP DESTROY',
        },
      ];
    case 'XGROUP SETID':
      return [{ ...bare, role: 'cell', cell: `last ${text(3)}`, group: text(3) }];
    case 'XGROUP CREATECONSUMER':
      return [{ ...bare, role: 'tail', cell: `consumers ${text(3)}`, group: text(3) }];
    default:
      return [{ ...bare, role: 'modify' }];
  }
}

/** Which entries a trim takes: `MAXLEN` or `MINID`, and the limit. */
export interface Trim {
  readonly strategy: string;
  readonly limit: Argument;
}

/** The entries that an `XTRIM`'s piece takes. */
export function trimOf({ command }: Piece): Trim {
  return { strategy: String(command[2]), limit: command[3]! };
}

function addedOrTrimmed(args: readonly Buffer[], bare: Bare): Piece[] {
  const key = args[1]!;
  const pieces: Piece[] = [];
  const { trim, end: at } = streamOptions(args);
  if (bare.name === 'XADD' && at < args.length)
    pieces.push({
      ...bare,
      role: 'cell',
      command: ['XADD', key, ...args.slice(at)],
      cell: `entry ${wholeId(args[at]!.toString('latin1'))}`,
    });
  if (trim)
    pieces.push({
      ...bare,
      role: 'trim',
      name: 'XTRIM',
      command: ['XTRIM', key, trim.strategy, args[trim.limitAt] ?? '0'],
      isRemoval: true,
    });
  return pieces;
}
