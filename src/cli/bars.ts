/** Pictures out of letters: how full something is, how it has been, how far work has come. */

import { duration, grouped } from './terminal.js';

const STEPS = '▁▂▃▄▅▆▇█';

/** `██████░░░░` @param share from 0 to 1; beyond that it is full */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  // What is there at all is seen.
  const shown = share > 0 ? Math.max(1, full) : 0;
  return '█'.repeat(shown) + '░'.repeat(width - shown);
}

/** The newest values, a letter each, the highest of them as high as it goes. @param width of the newest how many */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const highest = Math.max(...shown, 0);
  return shown
    .map((value) => STEPS[highest > 0 ? Math.ceil((Math.max(0, value) / highest) * (STEPS.length - 1)) : 0])
    .join('')
    .padEnd(width);
}

/** `25 %`; never 100 before all is done. */
export function percent(share: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, share)) * 100)} %`;
}

/** How far work has come, and since when. */
export interface WorkDone {
  readonly done: number;
  /** 0: not known. */
  readonly total: number;
}

/** How fast work moves on: what was done of it since it was first looked at, in this attempt. */
export class WorkRate {
  #first: { readonly done: number; readonly atMs: number } | undefined;

  /** Per second; undefined before something has moved. @param nowMs by a clock that only goes on */
  after(done: number, nowMs: number): number | undefined {
    // Work that begins anew is measured anew.
    if (this.#first === undefined || done < this.#first.done) this.#first = { done, atMs: nowMs };
    const seconds = (nowMs - this.#first.atMs) / 1000;
    return done > this.#first.done && seconds > 0 ? (done - this.#first.done) / seconds : undefined;
  }
}

/** `1,500 of 6,000 keys (25 %), 300 keys/s, 15.0 s left` @param rate per second, as {@link WorkRate} has it */
export function workText({ done, total }: WorkDone, rate: number | undefined, unit: string): string {
  const all = total > 0 ? ` of ${grouped(total)}` : '';
  const named = unit === '' ? '' : ` ${unit}`;
  const parts = [`${grouped(done)}${all}${named}${total > 0 ? ` (${percent(done / total)})` : ''}`];
  if (rate !== undefined) {
    parts.push(`${grouped(rate)}${named}/s`);
    if (total > done) parts.push(`${duration(((total - done) / rate) * 1000)} left`);
  }
  return parts.join(', ');
}
