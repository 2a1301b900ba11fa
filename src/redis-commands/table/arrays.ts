import { row, type CommandSpec } from './command-spec.js';

const ARRAY = { since: 'redis 8.8' };

/** Arrays, a preview in Redis 8.8. All are `modify`: the insertion cursor is shared by all slots, so slots are not cells of their own. */
export const ARRAY_COMMANDS: readonly CommandSpec[] = [
  row('ARSET', 'array', 'modify', ARRAY),
  row('ARMSET', 'array', 'modify', ARRAY),
  row('ARINSERT', 'array', 'modify', ARRAY),
  row('ARRING', 'array', 'modify', ARRAY),
  row('ARSEEK', 'array', 'modify', ARRAY),
  row('ARDEL', 'array', 'modify', ARRAY),
  row('ARDELRANGE', 'array', 'modify', ARRAY),
];
