/**
 * The internal keys, all in database 0 and never replicated. The braces put a pair's keys in one cluster slot. The keys that the peer's
 * account may touch stand under `in:`, so that its ACL can name exactly these.
 */
export interface KeyNames {
  /** The start of every internal key: `tandem:{pair}:`. */
  readonly prefix: string;
  /** The start of every key open to the peer's account: `tandem:{pair}:in:`. */
  readonly peerPrefix: string;
  /** Hash: epoch, capture position, next sequence, clock, acknowledged … of this site. */
  readonly state: string;
  /** List: batches the peer is not yet known to have applied. */
  readonly changes: string;
  /** List: batches delivered by the peer and not yet applied. */
  readonly inbox: string;
  /** Hash: the peer's epoch and the highest sequence received from it. */
  readonly received: string;
  /** Hash: who works at this Redis: pair, site, version, startedAt. Read by the peer. */
  readonly site: string;
  /** Hash, in a copy of the peer's data: what `tandem adopt` asks the peer, and the answer. */
  readonly copy: string;
  /** Hash: how far the peer's changes are applied. The marker by which capture knows an echo. */
  readonly applied: string;
  /** String: touched to make an EXEC fail whose preconditions do not hold. */
  readonly guard: string;
  /** String: the fencing token of the process that may write. */
  readonly fence: string;
  /** String with expiry: the process that works now. */
  readonly lease: string;
  /** String: written to be seen coming round in the stream. */
  readonly barrier: string;
  /** String, written and removed at once: what capture is to take out of the stream at its place in the order. */
  readonly out: string;
  /** Stream, capped: the conflicts. */
  readonly conflicts: string;
  /** Stream, capped: the changes that could not be applied. */
  readonly rejected: string;
  /** Hashes with expiry: what a comparison has found about single keys, by job. */
  readonly differencesPrefix: string;
  /** The prefix of the keys of all jobs: `tandem:{pair}:jobs:`. Which there are is BullMQ's affair. */
  readonly jobsPrefix: string;
  /** Set: the kinds of jobs there have been. */
  readonly jobKinds: string;
  /** Hash: how often a rejected change was tried again, and for which keys the peer was asked. */
  readonly retries: string;
  /** List, capped: when this site and its peer last wrote which key, by hash. */
  readonly claims: string;
  /** Hash: since when which direction is paused. */
  readonly paused: string;
  /** Hash with expiry: how far the marks of those are who wait, by session. */
  readonly waits: string;
  /** String with expiry: which keys the site had when it first met its peer. */
  readonly inventory: string;
  /** Hash with expiry: which value is being put together from parts, and how many there are. */
  readonly assembly: string;
  /** That value, with expiry, until it takes the place of a key. */
  readonly assembled: string;
  /** String with expiry: the running process's status as JSON, for `tandem status`. */
  readonly status: string;
}

/** The names of a pair's internal keys. `prefix` is the setting `keyPrefix`, `tandem` unless changed. */
export function keyNames({ prefix, pair }: { prefix: string; pair: string }): KeyNames {
  const own = `${prefix}:{${pair}}:`;
  return Object.freeze({
    prefix: own,
    peerPrefix: `${own}in:`,
    state: `${own}state`,
    changes: `${own}changes`,
    inbox: `${own}in:inbox`,
    received: `${own}in:received`,
    site: `${own}in:site`,
    copy: `${own}in:copy`,
    applied: `${own}applied`,
    guard: `${own}guard`,
    fence: `${own}fence`,
    lease: `${own}lease`,
    barrier: `${own}barrier`,
    out: `${own}out`,
    conflicts: `${own}conflicts`,
    rejected: `${own}rejected`,
    differencesPrefix: `${own}differences:`,
    jobsPrefix: `${own}jobs:`,
    jobKinds: `${own}jobs:kinds`,
    retries: `${own}retries`,
    claims: `${own}claims`,
    paused: `${own}paused`,
    waits: `${own}waits`,
    inventory: `${own}inventory`,
    ...assemblyBeside(`${own}out`),
    status: `${own}status`,
  });
}

/** The keys of a value that is put together from parts, by the name of the key that carries Tandem's own commands. */
export function assemblyBeside(out: string): Pick<KeyNames, 'assembly' | 'assembled'> {
  return { assembly: `${out}:assembly`, assembled: `${out}:assembled` };
}

/** Every key of a site, the state first: what moves together when a database is swapped or emptied. */
export function allKeys(keys: KeyNames): string[] {
  const {
    prefix: _prefix,
    peerPrefix: _peerPrefix,
    jobsPrefix: _jobsPrefix,
    differencesPrefix: _differencesPrefix,
    state,
    ...others
  } = keys;
  return [state, ...Object.values(others)];
}
