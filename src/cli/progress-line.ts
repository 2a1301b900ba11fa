import type { JobView } from '../jobs/job-view.js';
import { bar, workText, WorkRate, type WorkDone } from './bars.js';
import { grouped } from './terminal.js';

/** How often a line is written where nobody watches: for the first time after a second. */
const FIRST_LINE_MS = 1000;
const LINE_MS = 5000;
const BAR_COLUMNS = 20;

/**
 * Tells on standard error how far long work is: on a terminal as a bar that is drawn over, else in a line now and then. With `isOn` false
 * it tells nothing.
 */
export class ProgressLine {
  readonly #isOn: boolean;
  readonly #isTerminal = process.stderr.isTTY;
  readonly #rate = new WorkRate();
  #nextMs = performance.now() + FIRST_LINE_MS;

  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  /** @param work undefined while nothing is done yet @param more behind how far it is */
  show(label: string, work: WorkDone | undefined, { unit = '', more = '' } = {}): void {
    const now = performance.now();
    const rate = work && this.#rate.after(work.done, now);
    if (!this.#isOn || (!this.#isTerminal && now < this.#nextMs)) return;
    this.#nextMs = now + LINE_MS;
    const text = work === undefined ? '…' : `${workText(work, rate, unit)}${more === '' ? '' : `, ${more}`}`;
    if (!this.#isTerminal) {
      process.stderr.write(`${label}: ${text}\n`);
      return;
    }
    const drawn = work && work.total > 0 ? `${bar(work.done / work.total, BAR_COLUMNS)} ` : '';
    const line = `${label} ${drawn}${text}`;
    const columns = process.stderr.columns || 80;
    process.stderr.write(`\r\u001B[K${line.slice(0, columns - 1)}`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#isOn && this.#isTerminal) process.stderr.write('\r\u001B[K');
  }
}

/** Tells how far a job is, in keys, as the long work of a site counts. */
export function showJob(line: ProgressLine, { state, task, progress }: JobView): void {
  const { done = 0, total = 0, differing } = (progress ?? {}) as Record<string, number>;
  const label = state === 'active' ? task : `${task} (${state})`;
  const more = differing === undefined ? '' : `${grouped(differing)} different`;
  line.show(label, done === 0 ? undefined : { done, total }, { unit: 'keys', more });
}
