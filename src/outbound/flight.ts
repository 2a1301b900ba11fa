/** A batch on its way to the peer's inbox. */

import type { Redis } from 'ioredis';
import { decodeSealed, encodeBatch, isPacked, unsealed } from '../protocol/batch.js';
import type { Algorithm } from '../protocol/packing.js';
import { runKnownScript, runScript } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import type { ListedBatch } from './listed-batch.js';
import type { RoundTrip } from './round-trip.js';

/** A batch in the form in which it is sent. */
export interface SentBatch extends ListedBatch {
  /** By what it is packed; undefined: by nothing. */
  readonly packedBy: Algorithm | undefined;
  /** Bytes that it would have with nothing packed, but for a few. */
  readonly plainLength: number;
}

export interface Answer {
  /** The script's answer. `forgotten`: the server no longer knows the script, and did not run it. */
  readonly verdict: string;
  readonly epoch: number;
  readonly received: number;
}

export interface Flying {
  readonly batch: SentBatch;
  readonly answer: Promise<Answer>;
  isAnswered: boolean;
}

/** Where to go on, and why the peer did not take what was sent; nothing: it has less than was thought. */
export interface Outcome {
  readonly next: number;
  readonly refusal?: 'full' | 'unreadable';
}

/** The consequence of a verdict other than yes. */
export function outcomeOf(verdict: string, received: number): Outcome {
  const next = received + 1;
  return verdict === 'full' || verdict === 'unreadable' ? { next, refusal: verdict } : { next };
}

/** The batch in a form that the peer reads, which may run another version than when it was packed. @throws TandemError BATCH_INVALID */
export function readable(batch: ListedBatch, reads: readonly string[]): SentBatch {
  const { bytes } = batch;
  const plain = { ...batch, packedBy: undefined, plainLength: bytes.length };
  if (!isPacked(bytes)) return plain;
  const sealed = decodeSealed(bytes);
  const { algorithm, bytes: unpacked } = sealed.packing!;
  if (reads.includes(algorithm))
    return {
      ...batch,
      packedBy: algorithm,
      plainLength: bytes.length - sealed.body.length + unpacked,
    };
  const inFull = encodeBatch(unsealed(sealed));
  return { ...plain, bytes: inFull, plainLength: inFull.length };
}

/**
 * Sends a batch.
 * @param isCut whether the history has a hole right before it
 * @param onAnswered the answer, or the failure, is there
 */
export function fly(
  batch: SentBatch,
  { client, keys, origin, isCut, isScriptKnown, roundTrip, onAnswered }: FlightOptions,
): Flying {
  const args = [
    origin,
    batch.epoch,
    batch.first,
    batch.last,
    batch.bytes,
    isCut ? '' : batch.previous,
    ...(batch.packedBy === undefined ? [] : [batch.packedBy]),
  ];
  const used = [keys.received, keys.inbox, ...(batch.packedBy === undefined ? [] : [keys.site])];
  const run = isScriptKnown ? runKnownScript : runScript;
  const answer = roundTrip
    .of(() => run(client, 'deliver-batch', used, args))
    .then((reply) => {
      if (reply === 'forgotten') return { verdict: reply, epoch: 0, received: 0 };
      const [verdict, epoch, received] = reply as [string, number, number];
      return { verdict, epoch, received };
    });
  const flying = { batch, answer, isAnswered: false };
  const answered = (): void => {
    flying.isAnswered = true;
    onAnswered();
  };
  // A failure is met when its turn comes; until then it must not count as unhandled.
  answer.then(answered, answered);
  return flying;
}

interface FlightOptions {
  readonly client: Redis;
  readonly keys: KeyNames;
  /** Pair and site: `pair/site`. */
  readonly origin: string;
  readonly isCut: boolean;
  /** Whether the script was sent on this connection before, and need not be sent whole. */
  readonly isScriptKnown: boolean;
  readonly roundTrip: RoundTrip;
  readonly onAnswered: () => void;
}
