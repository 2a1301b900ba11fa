/** Loaded into a process of a site: half of the keys it watches count as given up while there is a file `FAILING_WATCHES`. */
import { existsSync } from 'node:fs';
import { ContendedKeys } from '../../dist/conflicts/contended-keys.js';

const file = process.env['FAILING_WATCHES'];
const original = Object.getOwnPropertyDescriptor(ContendedKeys.prototype, 'isGivenUp').value;

ContendedKeys.prototype.isGivenUp = function (...args) {
  return (Math.random() < 0.5 && existsSync(file)) || original.apply(this, args);
};
