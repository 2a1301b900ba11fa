/** Commands on streams whose entries are added in the order of their arrival (`streams.arrival`). */

import { streamOptions } from '../redis-commands/options/stream-options.js';
import { arrivalArguments } from '../protocol/messages/arrival.js';

/**
 * The message sent for a command that adds an entry to such a stream, or trims it. Nothing for any other. An entry has another ID at each
 * site, so what names one, and what groups have read, is of one site.
 *
 * @param name upper case
 * @param args the name first
 */
export function arrivalOf(
  name: string,
  args: readonly Buffer[],
  database: number,
): readonly Buffer[] | undefined {
  if (name !== 'XADD' && name !== 'XTRIM') return undefined;
  const { trim, end } = streamOptions(args);
  const isEntry = name === 'XADD' && end < args.length;
  return arrivalArguments({
    database,
    key: args[1]!,
    strategy: trim?.strategy ?? '',
    limit: trim ? (args[trim.limitAt]?.toString('latin1') ?? '0') : '',
    id: isEntry ? args[end]!.toString('latin1') : '',
    fields: isEntry ? args.slice(end + 1) : [],
  });
}
