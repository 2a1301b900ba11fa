/** Changes that wait for so long, without that any is applied, stand still: one transaction of the largest kind takes some seconds. */
export const STANDSTILL_MS = 60_000;
/** Looks that are further apart say nothing of the time between: the process did not run. */
const MAX_APART_MS = 10_000;

/** Notices that changes wait in a direction and none is applied, though nothing says why. */
export class Standstill {
  #place = -1;
  #sinceMs = 0;
  #lookedAtMs = -Infinity;

  /**
   * Is to be called every second or so. Gives for how long nothing was applied, in ms, once that is long; undefined otherwise.
   * @param place up to where changes are applied @param nowMs by a clock that only goes forward
   */
  look({
    place,
    isWaiting,
    nowMs,
  }: {
    place: number;
    isWaiting: boolean;
    nowMs: number;
  }): number | undefined {
    if (!isWaiting || place !== this.#place || nowMs - this.#lookedAtMs > MAX_APART_MS) this.#sinceMs = nowMs;
    this.#place = place;
    this.#lookedAtMs = nowMs;
    const lastedMs = nowMs - this.#sinceMs;
    return lastedMs >= STANDSTILL_MS ? lastedMs : undefined;
  }
}
