import type { Injected } from './phase.js';

/** A table of the faults by kind: how many, and how long until changes crossed again. */
export function summary(injected: readonly Injected[]): string {
  const names = [...new Set(injected.map(({ name }) => name))].toSorted();
  const rows = names.map((name) => {
    const times = injected
      .filter((one) => one.name === name)
      .map(({ recoveryMs }) => recoveryMs)
      .toSorted((a, b) => a - b);
    const [median, most] = [times[Math.floor((times.length - 1) / 2)], times.at(-1)];
    return [name, String(times.length), seconds(median), seconds(most)];
  });
  const all = [['fault', 'times', 'recovery p50 s', 'max s'], ...rows];
  return all
    .map((cells) => cells.map((cell, at) => (at === 0 ? cell.padEnd(15) : cell.padStart(14))).join(''))
    .join('\n');
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '' : (ms / 1000).toFixed(2);
}
