/**
 * The one place where commands of Tandem's own making leave the site, seen by what the site leaves out. Holds back what the filters
 * exclude, whatever a question made a script read. A key that is excluded here is in no state, no list of names and no digest that the
 * peer gets.
 *
 * A request (`TANDEM.NEED`) passes: it names keys the peer has named before. Local writes of an excluded key are not noted, so no late
 * write makes such a request.
 */

import { ANSWER, withExcluded } from '../protocol/messages/answer.js';
import { COMPARE, questionWithout } from '../protocol/messages/compare.js';
import { DIGEST, DIGEST_MESSAGE } from '../protocol/messages/digest.js';
import { DIGESTED, DIGESTED_MESSAGE, leftOut } from '../protocol/messages/digested.js';
import { EXPIRED } from '../protocol/messages/expired.js';
import { GONE } from '../protocol/messages/gone.js';
import { LIBRARIES, untoldLibraries } from '../protocol/messages/libraries.js';
import { LIBRARY } from '../protocol/messages/library.js';
import { LISTED, namesAmong } from '../protocol/messages/listed.js';
import { messageKeys } from '../protocol/messages/messages.js';
import { PART, PART_MESSAGE } from '../protocol/messages/part.js';
import { STATE } from '../protocol/messages/state.js';
import type { Filter } from '../config/filter.js';

/**
 * The part of a command that may leave; undefined where none of it may.
 * @param args well-formed, the name first
 * @param functions whether functions leave the site
 */
export function outgoing(
  args: readonly Buffer[],
  { filter, functions }: { filter: Filter; functions: boolean },
): readonly Buffer[] | undefined {
  const name = args[0]!.toString('latin1');
  if (!functions && name === LIBRARY) return undefined;
  if (!functions && name === LIBRARIES) return untoldLibraries(args);
  if (filter.passesAllKeys) return args;
  const isExcluded = ({ database, key }: { database: number; key: Buffer }): boolean =>
    !filter.key(database, key);
  switch (name) {
    case STATE:
    case EXPIRED:
    case GONE:
      return messageKeys(name, args).some(isExcluded) ? undefined : args;
    case ANSWER:
      return withExcluded(args, isExcluded);
    case DIGEST:
      return DIGEST_MESSAGE.keys(args).some(isExcluded) ? undefined : args;
    case PART:
      return PART_MESSAGE.keys(args).some(isExcluded) ? undefined : args;
    case DIGESTED:
      return DIGESTED_MESSAGE.keys(args).some(isExcluded) ? leftOut(args) : args;
    case COMPARE:
      return questionWithout(args, isExcluded);
    case LISTED:
      return namesAmong(args, (key) => filter.name(key));
    default:
      return args;
  }
}
