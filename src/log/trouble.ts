/** How often a trouble that lasts is told, of each of its reasons. */
const REPEAT_MS = 60_000;
/** A trouble that comes back within this time is the same one. It is told again once it has lasted for so long. */
const FLAP_MS = 5000;
/** Reasons that are told apart; all others count as one. */
const MAX_REASONS = 8;
const OTHERS = '';

/** The fields of a log line about a trouble, beside its reason. */
export interface Lasting {
  /** When it began, in the form of the log's own times. */
  readonly since: string;
  /** How often it was met so far. */
  readonly attempts: number;
}

/**
 * Something that fails again and again until it is over: says when the log is to tell of it, so that neither a trouble that lasts nor
 * one that comes and goes fills the log. It is told at once, with each new reason, and once a minute; its end is told when it was.
 */
export class Trouble {
  readonly #now: () => number;
  readonly #repeatMs: number;
  /** Reason → when it was told. */
  readonly #told = new Map<string, number>();
  #isOpen = false;
  /** Whether the log knows that it is open. */
  #isTold = false;
  #openedAt = -Infinity;
  #overAt = -Infinity;
  #sinceMs = 0;
  #beganAt = 0;
  #attempts = 0;

  /** @param now a clock that only goes forward, in ms */
  constructor({
    now = () => performance.now(),
    repeatMs = REPEAT_MS,
  }: { now?: () => number; repeatMs?: number } = {}) {
    this.#now = now;
    this.#repeatMs = repeatMs;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** It has failed. Gives what is to be told; undefined when it was told lately. */
  met(reason: string): Lasting | undefined {
    const now = this.#now();
    if (!this.#isOpen) this.#open(now);
    this.#attempts++;
    const isApart = this.#told.has(reason) || this.#told.size < MAX_REASONS;
    const known = isApart ? reason : OTHERS;
    const toldAt = this.#told.get(known) ?? -Infinity;
    const isLate = !this.#isTold && now - this.#openedAt >= FLAP_MS;
    if (!isLate && now - toldAt < this.#repeatMs) return undefined;
    this.#told.set(known, now);
    this.#isTold = true;
    return { since: new Date(this.#sinceMs).toISOString(), attempts: this.#attempts };
  }

  /** It works again. Gives what is to be told; undefined when the log knows of no trouble. */
  over(): { readonly lastedMs: number; readonly attempts: number } | undefined {
    if (!this.#isOpen) return undefined;
    this.#isOpen = false;
    this.#overAt = this.#now();
    return this.#isTold
      ? { lastedMs: Math.round(this.#overAt - this.#beganAt), attempts: this.#attempts }
      : undefined;
  }

  #open(now: number): void {
    this.#isOpen = true;
    this.#isTold = false;
    this.#openedAt = now;
    if (now - this.#overAt < FLAP_MS) return;
    this.#told.clear();
    this.#attempts = 0;
    this.#sinceMs = Date.now();
    this.#beganAt = now;
  }
}
