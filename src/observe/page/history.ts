/** What the status page plots: samples of the last day, in bounded memory. */

import type { SiteStatus } from '../status.js';

/** One plotted moment. Lags in ms, rates a second, sizes in bytes. */
export interface Point {
  /** End of the interval, ms since 1970. */
  readonly at: number;
  readonly outboundLagMs: number;
  readonly inboundLagMs: number;
  readonly outboundRate: number;
  readonly inboundRate: number;
  readonly conflictRate: number;
  readonly changeListBytes: number;
  readonly inboxBytes: number;
  readonly memoryBytes: number;
}

/** Spans that are kept: how long a point stands for, and how many points there are. */
export const SPANS = {
  '15m': { stepMs: 2000, points: 450 },
  '1h': { stepMs: 10_000, points: 360 },
  '24h': { stepMs: 240_000, points: 360 },
} as const;
export type Span = keyof typeof SPANS;

/** Counters at the beginning of an interval. */
interface Counted {
  readonly at: number;
  readonly sent: number;
  readonly applied: number;
  readonly conflicts: number;
}

/** The highest values met within an interval. */
interface Peaks {
  outboundLagMs: number;
  inboundLagMs: number;
  changeListBytes: number;
  inboxBytes: number;
  memoryBytes: number;
}

class Track {
  readonly #stepMs: number;
  readonly #bound: number;
  readonly #points: Point[] = [];
  #from: Counted | undefined;
  #peaks = nothing();

  constructor({ stepMs, points }: { stepMs: number; points: number }) {
    this.#stepMs = stepMs;
    this.#bound = points;
  }

  get points(): readonly Point[] {
    return this.#points;
  }

  /** @returns the point that an interval has come to, when it has ended */
  sample(status: SiteStatus): Point | undefined {
    const now = countedIn(status);
    const from = this.#from;
    // A clock that was put back begins the interval anew.
    if (from === undefined || now.at < from.at) {
      this.#from = now;
      return undefined;
    }
    raise(this.#peaks, status);
    const elapsedMs = now.at - from.at;
    if (elapsedMs < this.#stepMs) return undefined;
    // In thousandths: what comes once in a minute is to be seen too.
    const rate = (after: number, before: number): number =>
      Math.max(0, Math.round(((after - before) * 1_000_000) / elapsedMs) / 1000);
    const point = {
      at: now.at,
      ...this.#peaks,
      outboundRate: rate(now.sent, from.sent),
      inboundRate: rate(now.applied, from.applied),
      conflictRate: rate(now.conflicts, from.conflicts),
    };
    this.#points.push(point);
    if (this.#points.length > this.#bound) this.#points.shift();
    this.#from = now;
    this.#peaks = nothing();
    return point;
  }
}

/** Points of each span. A point shows the mean of a rate, and the highest of a lag or a size. */
export class History {
  readonly #tracks: ReadonlyMap<Span, Track> = new Map(
    Object.entries(SPANS).map(([span, shape]) => [span as Span, new Track(shape)]),
  );

  /** Takes note of a status; gives the points it has completed. */
  sample(status: SiteStatus): { readonly span: Span; readonly point: Point }[] {
    return [...this.#tracks].flatMap(([span, track]) => {
      const point = track.sample(status);
      return point ? [{ span, point }] : [];
    });
  }

  /** Oldest first. */
  points(span: Span): readonly Point[] {
    return this.#tracks.get(span)?.points ?? [];
  }
}

export function isSpan(text: string): text is Span {
  return Object.hasOwn(SPANS, text);
}

function countedIn({ at, outbound, inbound, conflicts }: SiteStatus): Counted {
  const met = Object.values(conflicts).reduce((sum, count) => sum + count, 0);
  return { at, sent: outbound.changesTotal, applied: inbound.changesTotal, conflicts: met };
}

function raise(peaks: Peaks, { outbound, inbound, memoryBytes }: SiteStatus): void {
  peaks.outboundLagMs = Math.max(peaks.outboundLagMs, outbound.lagMs);
  peaks.inboundLagMs = Math.max(peaks.inboundLagMs, inbound.lagMs);
  peaks.changeListBytes = Math.max(peaks.changeListBytes, outbound.changeListBytes);
  peaks.inboxBytes = Math.max(peaks.inboxBytes, inbound.inboxBytes);
  peaks.memoryBytes = Math.max(peaks.memoryBytes, memoryBytes);
}

function nothing(): Peaks {
  return { outboundLagMs: 0, inboundLagMs: 0, changeListBytes: 0, inboxBytes: 0, memoryBytes: 0 };
}
