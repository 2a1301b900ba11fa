/** The shortest and the longest pause. */
interface Limits {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Beyond this number of doublings every pause is the longest one; the bound keeps the power finite. */
const MAX_DOUBLINGS = 20;

/**
 * The pauses between attempts at something that fails again and again. Each is twice as long as the one before, up to the
 * longest, until an attempt succeeds.
 */
export class Backoff {
  readonly #limits: Limits;
  #failures = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** An attempt has failed. @returns how long to pause before the next one, in ms */
  failed(): number {
    return backoffDelayMs({ attempt: ++this.#failures, ...this.#limits });
  }

  /** An attempt has succeeded: the next pause is the shortest. */
  succeeded(): void {
    this.#failures = 0;
  }
}

/**
 * The pause after the failed attempt with this number, for libraries that count attempts themselves.
 * Half of the pause is fixed, half is chance, so that many clients of one server do not return in step.
 */
export function backoffDelayMs({ attempt, minMs, maxMs }: Limits & { readonly attempt: number }): number {
  const fullMs = Math.min(maxMs, minMs * 2 ** Math.min(attempt - 1, MAX_DOUBLINGS));
  return Math.round(fullMs / 2 + (Math.random() * fullMs) / 2);
}
