/** Hands what goes by in the local stream, beside the application's changes, to the stages that wait for it. */

import type { InternalEvents } from '../capture/change-sink.js';
import type { ReplicationStream } from '../capture/psync/replication-stream.js';
import { Marks } from '../conflicts/marks.js';
import type { Barriers } from '../inbound/barriers.js';
import type { Inbox } from '../inbound/inbox.js';
import type { Deadlines } from '../local-writes/deadlines.js';
import { lateRequest } from '../local-writes/late-request.js';
import type { WrittenKey } from '../local-writes/late-options.js';
import type { LateWrites } from '../local-writes/late-writes.js';
import type { Acknowledgements } from '../outbound/acknowledgements.js';
import type { Plausibility } from '../outbound/plausibility.js';
import type { HybridClock } from '../protocol/clock.js';
import type { Claim } from '../protocol/claim.js';
import type { Gap } from '../protocol/gap.js';
import { type AnsweringSite, withMarks } from '../protocol/messages/answer.js';
import { DIGESTED, DIGESTED_MESSAGE, digestedAbout } from '../protocol/messages/digested.js';
import { encodeExpired } from '../protocol/messages/expired.js';
import type { KeyHash } from '../protocol/key-hash.js';
import { encodeNeed, LACK } from '../protocol/messages/state-request.js';
import { currentCommand } from '../protocol/payload.js';
import type { KnownName } from '../redis-commands/command-names.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { keyspaceChanged } from './keyspace-events.js';
import type { BatchTimer } from '../capture/batch-timer.js';
import type { PipelineOptions } from './pipeline-options.js';

export interface StreamEventsOptions {
  readonly pipeline: PipelineOptions;
  readonly stream: ReplicationStream;
  readonly clock: HybridClock;
  readonly late: LateWrites;
  readonly deadlines: Deadlines;
  readonly inbox: Inbox;
  readonly barriers: Barriers;
  readonly timer: BatchTimer;
  readonly acknowledgements: Acknowledgements;
  readonly plausibility: Plausibility;
}

export class StreamEvents implements InternalEvents, AnsweringSite {
  readonly #options: StreamEventsOptions;
  readonly #marks: Marks;

  constructor(options: StreamEventsOptions) {
    this.#options = options;
    const { acknowledgements, pipeline } = options;
    this.#marks = new Marks({ acknowledgements, gaps: pipeline.gaps });
  }

  delivered(batch: Buffer): void {
    this.#options.inbox.delivered(batch);
  }

  heartbeat(fields: ReadonlyMap<string, string>): void {
    const { plausibility, acknowledgements } = this.#options;
    plausibility.observe(Number(fields.get('beatClock')));
    const [sequence, seen] = [Number(fields.get('beat')), Number(fields.get('beatSeen'))];
    if (Number.isSafeInteger(sequence) && plausibility.isCredible(seen))
      acknowledgements.heartbeat({ sequence, seen });
  }

  told(text: string): void {
    this.#options.pipeline.events.told(text);
  }

  rewound(id: string): void {
    this.#options.inbox.rewound(id);
  }

  barrier(text: string): void {
    this.#options.barriers.passed(text);
  }

  applied(sequence: number, decided: number, kept: () => readonly PlacedKey[]): void {
    this.#options.deadlines.comingRound(sequence);
    this.#options.late.applied(sequence, decided, kept);
  }

  echoed(reader: CommandReader, database: number, known: KnownName): void {
    const { late, pipeline, timer } = this.#options;
    timer.echoed(known.name);
    if (late.concerns(reader, database, known))
      late.echoed(currentCommand(reader, database, pipeline.opened.commands.writes));
  }

  appliedEnd(sequence: number): readonly Buffer[] {
    const { late, clock, pipeline } = this.#options;
    return [
      ...lateRequest(late, sequence, { clock, log: pipeline.log }),
      ...late.takeEnded().map((key) => encodeExpired(key, key.at)),
    ];
  }

  get watchesWrites(): boolean {
    return this.#options.late.sets.watchesWrites;
  }

  mayWatch(hash: KeyHash): boolean {
    return this.#options.late.sets.overwritten.mayBeAt(hash);
  }

  writing(keys: readonly WrittenKey[] | 'all', sequence: number): readonly Buffer[] {
    const { late, clock } = this.#options;
    const asked = late.sets.writing(keys, sequence);
    return asked.length === 0
      ? []
      : [encodeNeed({ timestamp: clock.tick(), lack: LACK.localWrites, keys: asked })];
  }

  answering(args: readonly Buffer[]): Buffer {
    if (args[0]!.toString('latin1') === DIGESTED) {
      const key = DIGESTED_MESSAGE.keys(args)[0]!;
      const about = { gap: this.gap, isNew: this.isNew(key), claim: this.claimOf(key) };
      return encodeCommand(digestedAbout(args, about));
    }
    const answer = withMarks(args, this);
    // It may be the answer to a question that the peer has put in this site's name.
    this.#options.pipeline.events.answered(answer);
    return encodeCommand(answer);
  }

  isBusy(key: PlacedKey, seen: number): boolean {
    return this.#options.late.isUnseen(key, seen);
  }

  isNew(key: PlacedKey): boolean {
    return this.#options.pipeline.longWork.isNew(key);
  }

  claimOf(key: PlacedKey): Claim {
    return this.#options.pipeline.claims.of(key);
  }

  get gap(): Gap | undefined {
    return this.#options.pipeline.gaps.open;
  }

  marking(args: readonly Buffer[]): Buffer {
    return this.#marks.told(args);
  }

  keyspace(event: 'flush' | 'swap', databases: readonly number[]): void {
    const { pipeline, stream } = this.#options;
    void keyspaceChanged(pipeline, { event, databases }, (error) => stream.close(error));
  }

  askedForAcknowledgement(): void {
    this.#options.stream.acknowledge();
  }
}
