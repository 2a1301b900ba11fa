import { encodeCommand } from '../change/encode-command.js';
import { scriptSource } from '../lua/scripts.js';
import type { PayloadCommand } from './payload.js';

/**
 * What runs in place of a command on whole databases: the same, but the site's own keys stay in database 0. Nothing for any
 * other command.
 * @param own all keys of the site
 * @param databases how many the server has
 */
export function translateWhole(
  command: PayloadCommand,
  own: readonly string[],
  databases: number,
): Buffer | undefined {
  const script = (name: 'flush' | 'swap', ...args: (number | Buffer)[]): Buffer =>
    encodeCommand(['EVAL', scriptSource(name), own.length, ...own, ...args]);
  switch (command.name) {
    case 'FLUSHALL':
      return script('flush', databases, 0, databases - 1);
    case 'FLUSHDB':
      return script('flush', databases, command.database, command.database);
    case 'SWAPDB':
      return script('swap', command.args[1]!, command.args[2]!);
    default:
      return undefined;
  }
}
