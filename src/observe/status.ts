/** What a process says about itself: shown by `tandem status`, served as /status, and the source of the metrics. */
export interface SiteStatus {
  pair: string;
  site: string;
  peer: string;
  version: string;
  /** `standby`: another process works for this site. */
  role: 'active' | 'standby';
  /** When this was taken, ms since 1970. */
  at: number;
  uptimeMs: number;
  epoch: number;
  capture: CaptureStatus;
  /** This site's changes on their way to the peer. */
  outbound: OutboundStatus;
  /** The peer's changes on their way to this site. */
  inbound: InboundStatus;
  /** What the other site has told of itself last; null before it has. */
  other: OtherStatus | null;
  /** Conflicts met, by kind. */
  conflicts: Record<string, number>;
  /** Changes that could not be applied, since the process started. */
  rejected: number;
  /** Those that stand in the list of rejected changes, whenever they came there. */
  rejectedPending: number;
  /** Local writes that slipped in between a decision and its application, and were settled afterwards. */
  late: number;
  jobs: JobsStatus;
  /** The peer's clock minus ours; null while unknown. */
  clockSkewMs: number | null;
  memoryBytes: number;
  /** Lines of the log that could not be written. */
  logLinesLost: number;
  /** Whether a gap is open: changes are missing, and a repair is due. */
  gap: boolean;
  /** The code of the error that has ended the first copy of what this site held; null while it has not failed. */
  firstCopyFailure: string | null;
  /** What the last comparison of all keys has found; null before there was one. */
  lastComparison: ComparisonStatus | null;
}

export interface ComparisonStatus {
  /** When it ended, ms since 1970. */
  at: number;
  compared: number;
  /** Keys that it left different. */
  differing: number;
}

/** Jobs of all kinds, by state. `delayed`: for their time, or for their next attempt. */
export interface JobsStatus {
  waiting: number;
  delayed: number;
  active: number;
  failed: number;
  completed: number;
  /** How often the control plane itself has failed and begun again. */
  faults: number;
}

export interface CaptureStatus {
  state: string;
  replid: string;
  offset: number;
  nextSequence: number;
  /** Changes made at this site that were put into its change list. */
  changesTotal: number;
  commandsTotal: number;
  /** Applied changes of the peer that came round in our own stream. */
  echoesTotal: number;
  /** Commands left out, by reason. */
  skippedTotal: Record<string, number>;
  /** Commands that are not in the command table. */
  unknownTotal: number;
  gaps: number;
}

export type LinkState =
  | 'starting'
  | 'connecting'
  | 'streaming'
  | 'caught-up'
  | 'backing-off'
  | 'paused'
  | 'stopped';

export interface LinkStatus {
  state: LinkState;
  /** Why, in words, when the state is not a good one. */
  detail?: string;
  /** The code of the error behind it, if it is one. */
  reason?: string;
  /** Since when it is paused, ms since 1970; null while it is not. It may stand for another reason at the same time. */
  pausedSince: number | null;
  /** Since when changes wait and none was applied, ms since 1970, once that is long; null otherwise, and while it is paused. */
  stalledSince: number | null;
  lagMs: number;
  changesPerSecond: number;
  changesTotal: number;
  /** As they lie in the lists and cross the link, and with nothing compressed. */
  bytesTotal: number;
  plainBytesTotal: number;
}

/** A direction as the other site sees it. */
export type OtherLink = Pick<LinkStatus, 'state' | 'reason' | 'pausedSince' | 'lagMs'>;

/** How the other site is, as it has told itself. */
export interface OtherStatus {
  /** When it was heard, ms since 1970, by this machine's clock. */
  heardMs: number;
  version: string;
  /** From there to here. */
  outbound: OtherLink;
  /** From here to there. */
  inbound: OtherLink;
  /** Whether a gap is open there: changes are missing, until the sites are compared and repaired. */
  gap: boolean;
  /** Changes of this site's that stand in its list of rejected ones; absent where its version does not tell. */
  rejectedPending?: number;
}

export interface OutboundStatus extends LinkStatus {
  /** By what new batches are compressed; `none`: by nothing, or not now. */
  compression: string;
  /** Whether `wanBytesPerSecond` holds changes back. */
  isHeldBack: boolean;
  /** How long an answer of the peer's server takes; null while unknown. */
  roundTripMs: number | null;
  changeListBatches: number;
  changeListBytes: number;
  /** At which the list is dropped. Less than the setting where the server's memory is short; 0 while nothing works. */
  changeListLimitBytes: number;
  /** Bytes of changes made here, as they go into the list, lately. */
  bytesPerSecond: number;
  deliveredSequence: number;
  seenByPeer: number;
}

export interface InboundStatus extends LinkStatus {
  inboxBatches: number;
  inboxBytes: number;
  receivedSequence: number;
  appliedSequence: number;
}
