/**
 * One run: the transaction that applies a batch, as it is sent, and what its answers mean. The table in applier.ts says what is
 * sent and why.
 */

import { lastSequence, type DeliveredBatch } from '../protocol/batch.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { TandemError } from '../errors.js';
import { scriptRefusal, scriptSource } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import type { RawConnection } from '../redis/raw-connection.js';
import { refusedWord } from '../redis/refusal.js';
import { ErrorReply, type ExecReply, type PlacedError, type Reply } from '../redis/reply-reader.js';
import type { BatchPlan } from '../conflicts/plan-batch.js';

/** A transaction on its way, with the promises of its answers. */
export interface Transaction extends Sent {
  readonly batch: DeliveredBatch;
  readonly decision: BatchPlan;
}

/** The commands of a transaction. */
type Decision = Pick<BatchPlan, 'payload' | 'commands' | 'epilogue' | 'decided'> & Partial<BatchPlan>;

/** A transaction on its way, whatever it is for. */
interface Sent {
  readonly decision: Decision;
  readonly watched: Promise<readonly PlacedError[]>;
  readonly guard: Promise<Reply>;
  readonly queued: Promise<readonly PlacedError[]>;
  readonly exec: Promise<ExecReply | ErrorReply>;
}

/** What became of a run. */
export type Outcome =
  | { readonly kind: 'applied' }
  | { readonly kind: 'failed'; readonly failures: Failures }
  | { readonly kind: 'unqueueable'; readonly errors: readonly PlacedError[] }
  | { readonly kind: 'passing'; readonly error: ErrorReply }
  | { readonly kind: 'changed' }
  | { readonly kind: 'lost'; readonly error: TandemError };

/** What failed in a transaction that was executed: errors with their place among the decision's commands, or its epilogue. */
export interface Failures {
  readonly commands: readonly PlacedError[];
  readonly epilogue: readonly PlacedError[];
}

/** Errors that pass by themselves, or when an operator gives a right: the transaction is tried again, nothing is rejected. */
const PASSING: ReadonlySet<string> = new Set([
  'OOM',
  'READONLY',
  'LOADING',
  'MISCONF',
  'BUSY',
  'NOREPLICAS',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'NOAUTH',
  'NOPERM',
  'UNKILLABLE',
]);

/** Replies of a run that stand before those of its commands: the marker and begin-transaction.lua. */
const BEFORE_COMMANDS = 2;

const MULTI = encodeCommand(['MULTI']);
const EXEC = encodeCommand(['EXEC']);
const SELECT_0 = encodeCommand(['SELECT', 0]);

interface Sending {
  readonly keys: KeyNames;
  readonly token: number;
  /** `length` is that in the inbox; absent: it is in none. */
  readonly batch: Pick<DeliveredBatch, 'epoch' | 'first' | 'changes'> & { readonly length?: number };
  readonly decision: Decision;
  /** What must have been applied before it. */
  readonly expected: { readonly epoch: number; readonly sequence: number };
  readonly clock: number;
}

/** Sends a transaction. */
export function sendTransaction(
  connection: RawConnection,
  { keys, token, batch, decision, expected, clock }: Sending,
): Sent {
  const { replies } = connection;
  const last = lastSequence(batch);
  const run = {
    decision,
    watched: replies.statuses(decision.until === undefined ? 1 : 2),
    guard: replies.value(),
    queued: replies.statuses(1 + BEFORE_COMMANDS + decision.commands + decision.epilogue.length + 2),
    exec: replies.exec(),
  };
  // The promises are awaited together later; until then a lost connection must not count as unhandled.
  for (const promise of [run.watched, run.guard, run.queued, run.exec]) promise.catch(() => {});
  const guarded = [keys.fence, keys.applied, keys.guard];
  const { decided, kept = '', until, noted } = decision;
  const position = ['epoch', batch.epoch, 'n', last, 'decided', decided, 'clock', clock, 'kept', kept];
  if (noted !== undefined) position.push('noted', noted);
  const settled = [keys.applied, keys.received, keys.inbox];
  connection.write([
    ...(until === undefined ? [] : [encodeCommand(['SET', keys.guard, '', 'PXAT', until])]),
    encodeCommand(['WATCH', ...guarded]),
    encodeCommand([
      'EVAL',
      scriptSource('guard-transaction'),
      guarded.length,
      ...guarded,
      token,
      expected.epoch,
      expected.sequence,
      until === undefined ? 0 : 1,
    ]),
    MULTI,
    encodeCommand(['HSET', keys.applied, ...position]),
    encodeCommand(['EVAL', scriptSource('begin-transaction'), 1, keys.applied]),
    ...decision.payload,
    SELECT_0,
    ...decision.epilogue.map(({ bytes }) => bytes),
    batch.length === undefined
      ? SELECT_0
      : encodeCommand([
          'EVAL',
          scriptSource('end-transaction'),
          settled.length,
          ...settled,
          last,
          batch.length,
        ]),
    EXEC,
  ]);
  return run;
}

/** The meaning of a transaction's answers. @throws TandemError when the connection is lost before they are here */
export async function outcomeOf(run: Sent): Promise<Outcome> {
  const [watched, guard, queued, exec] = await Promise.all([run.watched, run.guard, run.queued, run.exec]);
  const isExecuted = !(exec instanceof ErrorReply) && !exec.aborted;
  // Executed is executed, whatever kept the guard from being heard.
  if (isExecuted) return executed(exec, run);
  const refused = guard instanceof ErrorReply ? guard : watched[0]?.error;
  if (refused) {
    const error = scriptRefusal('guard-transaction', refused.message);
    if (error) return { kind: 'lost', error };
    if (isPassing(refused)) return { kind: 'passing', error: refused };
    return lost('the guard of a run failed', refused);
  }
  if (!(exec instanceof ErrorReply)) return { kind: 'changed' };
  const passing =
    queued.find(({ error }) => isPassing(error))?.error ??
    (queued.length === 0 && isPassing(exec) ? exec : undefined);
  if (passing) return { kind: 'passing', error: passing };
  const errors = placedFrom(queued, 1 + BEFORE_COMMANDS, run.decision.commands);
  if (errors.length > 0) return { kind: 'unqueueable', errors };
  return lost('a run was refused', queued[0]?.error ?? exec);
}

function executed({ errors }: ExecReply, { decision }: Sent): Outcome {
  if (errors.length === 0) return { kind: 'applied' };
  const { commands, epilogue } = decision;
  const failures = {
    commands: placedFrom(errors, BEFORE_COMMANDS, commands),
    // Behind the commands stands a SELECT.
    epilogue: placedFrom(errors, BEFORE_COMMANDS + commands + 1, epilogue.length),
  };
  const settleAt = BEFORE_COMMANDS + commands + 1 + epilogue.length;
  const own = errors.find(
    ({ index, error }) => index < BEFORE_COMMANDS || (index === settleAt && error.code !== 'SUSPECT'),
  );
  return own ? lost("a run's own bookkeeping failed", own.error) : { kind: 'failed', failures };
}

/** Those of the errors that stand at the `count` places from `from` on, counted from there. */
function placedFrom(errors: readonly PlacedError[], from: number, count: number): PlacedError[] {
  return errors
    .map(({ index, error }) => ({ index: index - from, error }))
    .filter(({ index }) => index >= 0 && index < count);
}

function isPassing({ message }: ErrorReply): boolean {
  return PASSING.has(refusedWord(message));
}

/** A key of another type, or a number that is none: another client has written the internal keys, and a new beginning mends them. */
const FOREIGN = /\bWRONGTYPE\b|hash value is not an integer/;

function lost(what: string, { message }: ErrorReply): Outcome {
  const error = new TandemError(FOREIGN.test(message) ? 'STATE_LOST' : 'INTERNAL', what, {
    details: { reply: message.slice(0, 120) },
  });
  return { kind: 'lost', error };
}
