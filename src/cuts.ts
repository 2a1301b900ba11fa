/**
 * What is due when changes were missed or forgotten: the repair of what that has left different. The cut is noted in Redis, so that
 * a repair that was cut off itself is begun again, by whichever process works next.
 */

import type { ControlPlane } from './control/jobs.js';
import type { Logger } from './log.js';
import { answerOf, type Redis } from './redis/connect.js';
import type { KeyNames } from './redis/keys.js';
import type { OpenedState } from './site-state.js';

export interface CutsOptions {
  readonly local: Redis;
  readonly keys: KeyNames;
  readonly control: ControlPlane;
  readonly log: Logger;
}

/** Work that must be done some day: it goes on as long as it takes. */
const MANY_ATTEMPTS = 100_000;

export class Cuts {
  readonly #options: CutsOptions;
  /** The last cut that nobody has repaired: whose values count, and when it was found. */
  #open: string | undefined;

  constructor(options: CutsOptions) {
    this.#options = options;
  }

  /** Whether the sites may differ because of a cut. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  repaired(): void {
    this.#open = undefined;
  }

  /** Begins what is due when a site goes to work: the first copy, and the repair of a cut. Never rejects. */
  async begin({ isCopied, repair }: OpenedState): Promise<void> {
    const { control, log } = this.#options;
    try {
      if (!isCopied) await control.add('first-copy', {}, { id: 'first-copy', attempts: MANY_ATTEMPTS });
      // Found before Redis could be told, or before it forgot.
      this.#open ??= repair;
      if (this.#open !== undefined) await this.#repair(this.#open);
    } catch (err) {
      log.warn({ err }, 'long work could not be begun; the next beginning tries again');
    }
  }

  /** The histories were cut. @param whose the site whose values count where the sites now differ */
  async found(whose: 'own' | 'peer'): Promise<void> {
    const reason = this.#open?.startsWith('peer') === true ? 'peer' : whose;
    this.#open = `${reason} ${Date.now()}`;
    await this.#repair(this.#open).catch((err: unknown) =>
      this.#options.log.debug({ err }, 'a repair could not be begun; the next beginning tries again'),
    );
  }

  async #repair(cut: string): Promise<void> {
    const { local, keys, control } = this.#options;
    await answerOf(local, local.hset(keys.state, 'repair', cut));
    await control.add('repair', {}, { id: 'repair-of-cut', attempts: MANY_ATTEMPTS });
  }
}
