/** Loaded into a process of a site: while there is a file `FAILING_WATCHES`, so many of the keys it watches count as given up as that says. */
import { readFileSync } from 'node:fs';
import { ContendedKeys } from '../../dist/conflicts/contended-keys.js';

const file = process.env['FAILING_WATCHES'];
const original = Object.getOwnPropertyDescriptor(ContendedKeys.prototype, 'isGivenUp').value;

function share() {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
}

ContendedKeys.prototype.isGivenUp = function (...args) {
  return Math.random() < share() || original.apply(this, args);
};
