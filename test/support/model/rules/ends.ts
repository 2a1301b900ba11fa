import { MOVED, type Unit, unitOn } from './unit.js';
import { type UserWrite, type Write, isUser } from './write.js';

/** What a command does at one end of a list. */
interface End {
  readonly does: 'push' | 'pop';
  readonly side: 'left' | 'right';
}

/** The end of a list a command works at; undefined for any other command. */
export function endOf({ argv: [name] }: Unit): End | undefined {
  switch (name) {
    case 'LPUSH':
    case 'RPUSH':
      return { does: 'push', side: name === 'LPUSH' ? 'left' : 'right' };
    case 'LPOP':
    case 'RPOP':
      return { does: 'pop', side: name === 'LPOP' ? 'left' : 'right' };
    default:
      return undefined;
  }
}

/**
 * Whether an incoming command on an end of a list means the same elements, and comes to the same list, when it runs as it is behind
 * an own write its sender had not seen; whatever places are known.
 *
 * A push goes to its end, beyond whatever was popped, and beyond what was pushed at the other one; of two at one end that of the
 * smaller site name stands further to the left. A pop of one element takes what its sender had last at that end, if here only the other end
 * was pushed at. (A counted pop may have asked for more than there was.)
 */
function isFree(incoming: Unit, own: Unit, isSenderFirst: boolean): boolean {
  const [theirs, mine] = [endOf(incoming), endOf(own)];
  if (!theirs || !mine) return false;
  if (theirs.does === 'push')
    return mine.does === 'pop' || mine.side !== theirs.side || isSenderFirst === (theirs.side === 'left');
  return mine.does === 'push' && mine.side !== theirs.side && isOne(incoming);
}

/**
 * Whether an incoming push went to the end at which own writes had been, or behind a counted pop that may have emptied the list:
 * where their places are is to be remembered then, or doubted.
 */
export function isInterleaved(incoming: Unit, own: Unit): boolean {
  const [theirs, mine] = [endOf(incoming), endOf(own)];
  if (theirs?.does !== 'push' || !mine) return false;
  return theirs.side === mine.side || (mine.does === 'pop' && !isOne(own));
}

function isOne({ argv }: Unit): boolean {
  return argv.length < 3 || argv[2] === '1';
}

/** Whether the element is not in the stream. */
export function isMoved({ argv }: Unit): boolean {
  return argv.includes(MOVED);
}

/**
 * Whether a command on an end runs as it is, whatever is known of places, although `local` was written here unseen. A state or a
 * question in between takes nothing from a push.
 */
export function isFreeOf(incoming: UserWrite, key: string, own: readonly Write[], expires: boolean): boolean {
  const unit = unitOn(incoming.unit, key);
  const end = endOf(unit);
  if (!end) return false;
  return own.every((write) => {
    if (!isUser(write)) return end.does === 'push';
    if (write.unit.role === 'expiry') return end.does === 'push';
    if (end.does === 'pop' && expires) return false;
    return isFree(unit, unitOn(write.unit, key), incoming.site < write.site);
  });
}
