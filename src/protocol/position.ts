/**
 * Where capture stands in the replication stream of its local server, always at a change's boundary.
 * The stream does not repeat `SELECT` when it is resumed, so the database is part of the position.
 */
export interface Position {
  /** The stream's history: `master_replid` of the server. */
  readonly replid: string;
  /** Bytes of the stream that have been dealt with. */
  readonly offset: number;
  /** Database selected at that offset. */
  readonly database: number;
  /** The peer's highest sequence whose application stands before this offset. */
  readonly seen: number;
  /** The peer's epoch that {@link seen} counts in. */
  readonly seenEpoch: number;
}
