import { row, type CommandSpec } from './command-spec.js';

const KEYLESS = { writes: [] };
const FUNCTIONS = { writes: [], since: 'redis 7.0, valkey 7.2' };
const SCRIPT_KEYS = { writes: [{ countAt: 2 }] };

/**
 * What is not a write to keys, or cannot be told: messages, functions, the script cache, and scripts themselves.
 *
 * Scripts and functions stand in the stream as their effects in every supported version. Only a Redis 6.2 with `lua-replicate-commands no` sends `EVAL`
 * itself, and its `SCRIPT LOAD` and `SCRIPT FLUSH`: `unknown`, because what a script does is not written in its arguments.
 */
export const MESSAGE_AND_SCRIPT_COMMANDS: readonly CommandSpec[] = [
  row('PUBLISH', 'none', 'publish', KEYLESS),
  row('SPUBLISH', 'none', 'publish', FUNCTIONS),
  row('FUNCTION LOAD', 'none', 'function', FUNCTIONS),
  row('FUNCTION DELETE', 'none', 'function', FUNCTIONS),
  row('FUNCTION FLUSH', 'none', 'function', FUNCTIONS),
  row('FUNCTION RESTORE', 'none', 'function', FUNCTIONS),
  row('SCRIPT LOAD', 'none', 'function', KEYLESS),
  row('SCRIPT FLUSH', 'none', 'function', KEYLESS),
  row('EVAL', 'any', 'unknown', SCRIPT_KEYS),
  row('EVALSHA', 'any', 'unknown', SCRIPT_KEYS),
  row('FCALL', 'any', 'unknown', { ...SCRIPT_KEYS, since: 'redis 7.0, valkey 7.2' }),
];
