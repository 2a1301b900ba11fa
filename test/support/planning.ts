import type { BatchPlannerOptions, Translator } from '../../src/conflicts/plan-options.js';
import { LocalEntries } from '../../src/local-writes/local-entries.js';
import { Window } from '../../src/local-writes/window.js';
import { BatchCheck, type BatchCheckOptions } from '../../src/protocol/check-batch.js';
import type { KeyNames } from '../../src/redis/keys.js';
import { noDeadlines } from './life.js';

/** A translator at a server that takes every command as it comes. */
export const TAKES_ALL: Translator = {
  translate: () => undefined,
  answer: () => undefined,
  isTaken: () => true,
  isExcluded: () => false,
};

/** A change list without a change, whose last sequence was `through`. */
export function noChanges(through: number): BatchPlannerOptions['appended'] {
  return {
    appendedThrough: through,
    waitFor: () => Promise.resolve(),
    fetch: () => Promise.resolve(undefined),
    timestampOf: () => undefined,
  };
}

/** The options of a planner at east, which has written nothing of late. @param server the commands that its server has */
export function planning(
  keys: KeyNames,
  server: BatchCheckOptions['server'],
  options: Partial<BatchPlannerOptions> = {},
): BatchPlannerOptions {
  return {
    site: 'east',
    peer: 'west',
    keys,
    deadlines: noDeadlines(),
    window: new Window({ recentMs: 1000, maxEntries: 1000 }),
    entries: new LocalEntries(() => 0),
    conflictsKept: 10,
    conflictValueBytes: 10,
    captured: { capturedThrough: 0 },
    appended: noChanges(0),
    translator: TAKES_ALL,
    link: { peerRestores: '' },
    fieldsExpire: false,
    inspector: new BatchCheck({ server, databases: 16, internalPrefix: keys.prefix }),
    extraCommands: server.writes,
    rejections: { entry: () => Buffer.alloc(0) },
    late: { decided: () => {}, sets: { overwritten: { isEmpty: true, mayBeOn: () => false } } },
    events: { conflict: () => {}, answered: () => {} },
    appliedAtStart: 0,
    notedAtStart: undefined,
    ...options,
  };
}
