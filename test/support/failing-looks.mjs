/** Loaded into a process of a site: half of its looks at keys count as in vain while there is a file `FAILING_LOOKS`. */
import { existsSync } from 'node:fs';
import { HotKeys } from '../../dist/apply/hot-keys.js';

const file = process.env['FAILING_LOOKS'];
const original = Object.getOwnPropertyDescriptor(HotKeys.prototype, 'isGivenUp').value;

HotKeys.prototype.isGivenUp = function (...args) {
  return (Math.random() < 0.5 && existsSync(file)) || original.apply(this, args);
};
