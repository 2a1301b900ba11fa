import type { Argument } from '../redis-commands/encode-command.js';
import { scriptSource } from '../lua/scripts.js';
import { isRemoval } from '../protocol/removals.js';

/** Sent as they are: what no type is wrong for, and whose failure must be noticed; scripts see to the type themselves. */
const ALONE: ReadonlySet<string> = new Set(['SET', 'DEL', 'RESTORE', 'PEXPIREAT', 'PERSIST', 'EVAL']);

/** Arguments that a script can hand to one command: its `unpack` ends near 8,000. A longer command is sent as it is, outside of a script. */
export const MAX_SCRIPT_ARGUMENTS = 4000;

/** A command that is sent as it is, or the arguments of `attempt-commands.lua` for several that need not fit what is there. */
export type Attempt = { readonly alone: readonly Argument[] } | { readonly together: readonly Argument[] };

/** Scripts that may remove keys, or fields. */
const REMOVING: ReadonlySet<Argument | undefined> = new Set(
  (['merge-list', 'end-fields', 'run-again-on-field'] as const).map(scriptSource),
);

/** Whether a command may remove a key, or fields of it. */
export function removes(command: readonly Argument[]): boolean {
  return isRemoval(String(command[0]).toUpperCase()) || REMOVING.has(command[1]);
}

/** How commands are sent whose errors are no failed change, in their order. */
export function attemptsOf(commands: readonly (readonly Argument[])[]): Attempt[] {
  const attempts: Attempt[] = [];
  let part: Argument[] = [];
  const flush = (): void => {
    if (part.length > 0) attempts.push({ together: part });
    part = [];
  };
  for (const one of commands) {
    const isAlone = one.length > MAX_SCRIPT_ARGUMENTS || ALONE.has(String(one[0]).toUpperCase());
    if (isAlone || part.length + one.length > MAX_SCRIPT_ARGUMENTS) flush();
    if (isAlone) attempts.push({ alone: one });
    else part.push(one.length, ...one);
  }
  flush();
  return attempts;
}
