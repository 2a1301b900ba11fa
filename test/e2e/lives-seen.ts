import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../support/model/random.js';
import type { Site } from '../support/pair.js';

/** What applications see that give a deadline to all they write, and what somebody sees who looks all the while. */
export class Seen {
  /** What stood there without a deadline, and where. */
  readonly endless = new Set<string>();
  readonly tooMany: string[] = [];
  readonly #windowMs: number;
  readonly #asked = new Map<string, number[]>();

  /** @param windowMs how long a life is that is begun */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** @returns when it was asked, in ms since 1970 */
  ask(name: string): number {
    const now = Date.now();
    const times = this.#asked.get(name) ?? [];
    this.#asked.set(name, times);
    times.push(now);
    return now;
  }

  /**
   * A count holds what both sites asked for in one window. Where both begin one unseen, the longer life stays, and one more window can
   * join it in each outage.
   * @param askedAt when the count was asked for: the answer may have waited
   */
  count(name: string, count: number, askedAt: number): void {
    const since = askedAt - 4 * this.#windowMs;
    const asked = this.#asked.get(name)!.filter((at) => at >= since).length;
    if (count > asked) this.tooMany.push(`${name}: ${count}, and ${asked} were asked for`);
  }
}

/** Ends one process or the other every two seconds, until two seconds before the end. */
export async function endProcesses(
  sites: readonly [Site, Site],
  { end, random }: { end: number; random: Random },
): Promise<void> {
  while (Date.now() < end - 2000) {
    await sleep(1500);
    const site = random.pick(sites);
    await site.kill(random.pick(['SIGKILL', 'SIGTERM'] as const));
    await sleep(random.below(600));
    site.start();
  }
}
