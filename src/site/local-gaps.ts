import type { Config } from '../config/config.js';
import type { Logger } from '../log/log.js';
import type { OpenedState } from './history.js';

/** What is done when changes of this site will never reach the peer: it is said, and the sites are compared. */
export function localGaps(site: {
  readonly config: Config;
  readonly opened: OpenedState;
  readonly log: Logger;
  readonly onGap: (whose: 'own') => void;
}): { dropped: (last: number, limitBytes: number) => void; tooLarge: (bytes: number) => void } {
  const { config, opened, log, onGap } = site;
  return {
    dropped: (last, limitBytes) => {
      onGap('own');
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
    },
    tooLarge: (bytes) => {
      onGap('own');
      log.error(
        { bytes, maxBytes: opened.maxBulkBytes },
        'a change is too large to be stored, and was not sent: the sites must be compared',
      );
    },
  };
}
