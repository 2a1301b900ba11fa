import type { Config } from '../config/config.js';
import type { Logger } from '../log/log.js';
import type { GapEvents } from '../protocol/gap.js';
import type { OpenedState } from './history.js';

export interface LocalGapsOptions {
  readonly config: Config;
  readonly opened: OpenedState;
  readonly log: Logger;
  readonly events: Pick<GapEvents, 'gap'>;
}

/** Local changes that will never reach the peer: each is a gap, and logged. */
export class LocalGaps {
  readonly #options: LocalGapsOptions;

  constructor(options: LocalGapsOptions) {
    this.#options = options;
  }

  /** The change list was dropped. @param last the newest change in it @param limitBytes the bound it had reached */
  dropped(last: number, limitBytes: number): void {
    const { config, log, events } = this.#options;
    events.gap('own');
    if (limitBytes < config.changesBytes)
      log.error(
        { last, limitBytes, maxBytes: config.changesBytes },
        "the change list was dropped to leave the server's memory to the application: the sites must be compared",
      );
    else
      log.error(
        { last, maxBytes: config.changesBytes },
        'the change list reached its bound and was dropped, the peer was away too long: the sites must be compared',
      );
  }

  /** A change of so many bytes does not fit the change list. */
  tooLarge(bytes: number): void {
    const { opened, log, events } = this.#options;
    events.gap('own');
    log.error(
      { bytes, maxBytes: opened.maxBulkBytes },
      'a change is too large to be stored, and was not sent: the sites must be compared',
    );
  }
}
