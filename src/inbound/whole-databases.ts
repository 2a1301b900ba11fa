import { encodeCommand } from '../redis-commands/encode-command.js';
import { scriptSource } from '../lua/scripts.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { PayloadCommand } from '../protocol/payload.js';

/**
 * The command that runs in place of one on whole databases: the same, but Tandem's internal keys stay in database 0. Nothing for any
 * other command.
 * @param local all keys of the site
 * @param databases how many the server has
 * @param kept keys that a flush leaves as they are
 */
export function translateWhole(
  command: PayloadCommand,
  own: readonly string[],
  databases: number,
  kept: readonly PlacedKey[] = [],
): Buffer | undefined {
  const keeping = kept.flatMap(({ database, key }) => [database, key]);
  const script = (name: 'flush-databases' | 'swap-databases', ...args: (number | Buffer)[]): Buffer =>
    encodeCommand(['EVAL', scriptSource(name), own.length, ...own, ...args]);
  switch (command.name) {
    case 'FLUSHALL':
      return script('flush-databases', databases, 0, databases - 1, ...keeping);
    case 'FLUSHDB':
      return script('flush-databases', databases, command.database, command.database, ...keeping);
    case 'SWAPDB':
      return script('swap-databases', command.args[1]!, command.args[2]!);
    default:
      return undefined;
  }
}
