/** How additions to streams, deliveries and trims are carried out where this site adds to the same stream or takes entries off it. */

import { streamOptions } from '../redis-commands/stream-options.js';
import { encodeCommand, type Argument } from '../redis-commands/encode-command.js';
import { encodeGone } from '../protocol/messages/messages.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { scriptSource } from '../lua/scripts.js';
import type { LocalEntries } from '../local-writes/local-entries.js';
import { keysOf, type PayloadCommand } from '../protocol/payload.js';

/** Modes of insert-entries.lua: the entry takes the place of one with its ID; a key of another type is an error. */
const MODE = { replaces: 1, strict: 2 } as const;

/** What says more of a trim, or of an addition, than a script here could do. */
const REFINED = /^(KEEPREF|DELREF|ACKED|IDMP|IDMPAUTO)$/i;

/**
 * What runs for a command that commutes with the own ones it meets, if any. An `XADD` finds its place by its ID: a local entry that
 * slips in may have a higher one, or the same. A trim shows by what it takes off whether one of that was added here. What is delivered
 * may be gone.
 *
 * @param options the receiver's name and the sender's, and the key that carries Tandem's own commands
 */
export function entryCommands(
  command: PayloadCommand,
  entries: LocalEntries,
  { site, origin, out }: { site: string; origin: string; out: string },
): Buffer[] {
  const { name, args, bytes } = command;
  const [key] = keysOf(command, 'written');
  if (!key || !entries.has(key)) return [bytes];
  if (name === 'XCLAIM') return [encodeCommand(delivery(key, args, { out, isStrict: true }))];
  if (name !== 'XADD' && name !== 'XTRIM') return [bytes];
  const { trim, end } = streamOptions(args);
  if (args.slice(2, end).some((option) => REFINED.test(option.toString('latin1')))) return [bytes];
  const commands: Buffer[] = [];
  if (name === 'XADD') {
    const [id, ...fields] = args.slice(end) as [Buffer, ...Buffer[]];
    const mode = MODE.strict + (origin < site ? MODE.replaces : 0);
    commands.push(
      encodeCommand(['EVAL', scriptSource('insert-entries'), 1, key.key, mode, id, fields.length, ...fields]),
    );
  }
  if (trim)
    commands.push(
      encodeCommand([
        'EVAL',
        scriptSource('trim-stream'),
        1,
        key.key,
        trim.strategy,
        args[trim.limitAt] ?? '0',
        0,
      ]),
    );
  return commands;
}

/**
 * Delivers an entry as the other site has delivered it. One that was taken off here meanwhile is not pending here: then the other
 * site is told, and it is pending there no longer. Without it a consumer that is gone would hold it there for ever.
 *
 * @param args of an `XCLAIM` of one entry, the name first
 * @param options whether an error is a failed change
 */
export function delivery(
  key: PlacedKey,
  args: readonly Argument[],
  { out, isStrict }: { out: string; isStrict: boolean },
): Argument[] {
  const gone = encodeGone(key, args[2]!, args[5]!);
  return ['EVAL', scriptSource('claim-entry'), 1, out, isStrict ? 1 : 0, key.key, gone, ...args.slice(2)];
}
