import type { Config } from './config.js';
import type { Logger } from './log.js';
import type { OpenedState } from './site-state.js';

/** What is done when changes of this site will never reach the peer: it is said, and the sites are compared. */
export function ownCuts(site: {
  readonly config: Config;
  readonly opened: OpenedState;
  readonly log: Logger;
  readonly onGap: (whose: 'own') => void;
}): { dropped: (last: number) => void; tooLarge: (bytes: number) => void } {
  const { config, opened, log, onGap } = site;
  return {
    dropped: (last) => {
      onGap('own');
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
