/** Whether the internal keys are what Tandem made them: applications may write them by mistake, and must not stop the link by it. */

import type { Redis } from 'ioredis';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { runScript } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import { Signal } from '../async/signal.js';

interface InternalKeys {
  readonly local: Redis;
  readonly keys: KeyNames;
  readonly token: number;
  readonly pair: string;
  readonly site: string;
}

type KeyName = Exclude<
  keyof KeyNames,
  'prefix' | 'peerPrefix' | 'jobsPrefix' | 'differencesPrefix' | 'assembled'
>;

/** Type of each key. The first five are there for as long as a process works, and the script knows them by their places. */
const TYPES: Readonly<Record<KeyName, string>> = {
  fence: 'string',
  state: 'hash',
  applied: 'hash',
  received: 'hash',
  site: 'hash',
  changes: 'list',
  inbox: 'list',
  copy: 'hash',
  guard: 'string',
  lease: 'string',
  barrier: 'string',
  out: 'string',
  conflicts: 'stream',
  rejected: 'stream',
  retries: 'hash',
  claims: 'list',
  paused: 'hash',
  waits: 'hash',
  inventory: 'string',
  assembly: 'hash',
  status: 'string',
  jobKinds: 'set',
};

/** How often a working process looks. */
const LOOK_MS = 1000;

/** Removes internal keys that another client has given another type. The process makes them again. @throws TandemError FENCED */
export async function mendInternalKeys({
  log,
  ...own
}: InternalKeys & { readonly log: Logger }): Promise<void> {
  const { wrong } = await find(own, 'mend');
  if (wrong.length > 0)
    log.error(
      { keys: wrong },
      "Tandem's own keys held something else, and were removed: they are made again",
    );
}

/** Looks until the signal aborts. @throws TandemError STATE_LOST when keys are missing, or another client has written them */
export async function watchInternalKeys(own: InternalKeys, signal: AbortSignal): Promise<never> {
  const wake = new Signal();
  for (;;) {
    await wake.wait(signal, LOOK_MS);
    const { wrong, missing } = await find(own, 'look');
    if (wrong.length + missing.length > 0)
      throw new TandemError('STATE_LOST', "Tandem's own keys are missing, or hold something else", {
        details: { wrong, missing },
        hint: "Somebody else writes Tandem's own keys. Give the application's account patterns without them.",
      });
  }
}

async function find(
  { local, keys, token, pair, site }: InternalKeys,
  what: 'look' | 'mend',
): Promise<{ wrong: string[]; missing: string[] }> {
  // The data path does not depend on the control plane, which sees to its key itself.
  const names = (Object.keys(TYPES) as KeyName[]).filter((name) => what === 'mend' || name !== 'jobKinds');
  const reply = await runScript(
    local,
    'check-internal-keys',
    names.map((name) => keys[name]),
    [what, token, pair, site, ...names.map((name) => TYPES[name])],
  );
  const [wrong, missing] = reply as [string[], string[]];
  return { wrong, missing };
}
