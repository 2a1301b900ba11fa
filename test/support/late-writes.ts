import { LateWrites } from '../../src/local-writes/late-writes.js';
import type { LateWritesOptions } from '../../src/local-writes/late-options.js';
import { LocalEntries } from '../../src/local-writes/local-entries.js';
import type { Window } from '../../src/local-writes/window.js';
import { noDeadlines } from './life.js';

/** What finds late writes by a window, at a site without streams or deadlines. */
export function lateWrites(
  window: Window,
  options: Pick<LateWritesOptions, 'overwritten'> & Partial<LateWritesOptions>,
): LateWrites {
  return new LateWrites(window, {
    entries: new LocalEntries(() => 0),
    internalPrefix: 'tandem:{test}:',
    isSenderFirst: false,
    onPassed: () => {},
    onMisplaced: () => {},
    deadlines: noDeadlines(),
    onLifeEnded: () => {},
    ...options,
  });
}
