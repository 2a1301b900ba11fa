/** The options of `EXPIRE` and its family, and of `RESTORE`. */

import { readOptions } from './option.js';

const CONDITIONS: ReadonlySet<string> = new Set(['NX', 'XX', 'GT', 'LT']);
const WITH_VALUE: ReadonlySet<string> = new Set(['IDLETIME', 'FREQ']);

/** Whether what is there decides whether an expiry is set. @param args the name first, then key and time */
export function isConditionalExpiry(args: readonly Buffer[]): boolean {
  return readOptions(args, 3, () => 1).some(({ name }) => CONDITIONS.has(name));
}

/** Whether the expiry of a `RESTORE` is a point in time. @param args the name first, then key, expiry and dump */
export function isAbsoluteRestore(args: readonly Buffer[]): boolean {
  const options = readOptions(args, 4, (name) => (WITH_VALUE.has(name) ? 2 : 1));
  return options.some(({ name }) => name === 'ABSTTL');
}
