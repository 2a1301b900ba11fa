/** `TANDEM.LIST session number database cursor count`: asks for some of the names of the receiver's keys, as `SCAN` gives them. */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import { CURSOR } from './listed.js';
import { isNumber, questionFault, text, type MessageKind } from './message-kind.js';

export const LIST = 'TANDEM.LIST';

/** Names a peer may ask for in one go: the server is held up by it. */
const MAX_LISTED = 10_000;

export function encodeList({
  session,
  number,
  database,
  cursor,
  count,
}: {
  session: string;
  number: number;
  database: number;
  cursor: string;
  count: number;
}): Buffer {
  return encodeCommand([LIST, session, number, database, cursor, count]);
}

export const LIST_MESSAGE: MessageKind = {
  name: LIST,
  group: 'comparison',
  fault: (args) => {
    const isSound = args.length === 6 && isNumber(args[3]) && CURSOR.test(text(args[4]));
    const count = isNumber(args[5]) ? Number(text(args[5])) : 0;
    const mayBe = isSound && count >= 1 && count <= MAX_LISTED;
    return questionFault(args) ?? (mayBe ? undefined : `${LIST} asks for what nobody has`);
  },
  keys: () => [],
};
