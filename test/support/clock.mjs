/**
 * Loaded before the program, with `--import`: puts this process's clock ahead (or back) by the milliseconds that stand in the
 * file CLOCK_FILE, and looks into the file again at SIGUSR2. What passes evenly (timers, `performance.now`) is left alone, as
 * when somebody sets the clock of a machine. See protocol/clock.ts.
 */
import { readFileSync } from 'node:fs';

const trueNow = Date.now;
let aheadMs = read();

Date.now = () => trueNow() + aheadMs;
process.on('SIGUSR2', () => (aheadMs = read()));

function read() {
  return Number(readFileSync(process.env.CLOCK_FILE, 'utf8'));
}
