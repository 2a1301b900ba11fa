/**
 * Changes of Tandem's own making. They travel among the application's commands, at their place in the order, and are translated by the
 * receiver, never run as they are. Each has a file of this folder, which says what its arguments are; this one knows them all.
 */

import type { RecordedEffect } from '../../redis-commands/effect-code.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { ANSWER_MESSAGE } from './answer.js';
import { ARRIVAL_MESSAGE } from './arrival.js';
import { COMPARE_MESSAGE } from './compare.js';
import { DIGEST_MESSAGE } from './digest.js';
import { DIGESTED_MESSAGE } from './digested.js';
import { EXPIRED_MESSAGE } from './expired.js';
import { FIELDS_MESSAGE } from './field-deadlines.js';
import { FUNCTIONS_MESSAGE } from './functions.js';
import { GONE_MESSAGE } from './gone.js';
import { DEADLINE_MESSAGE } from './key-deadline.js';
import { LIBRARIES_MESSAGE } from './libraries.js';
import { LIBRARY_MESSAGE } from './library.js';
import { LIST_MESSAGE } from './list.js';
import { LISTED_MESSAGE } from './listed.js';
import { MARK_MESSAGE } from './mark.js';
import { MEMBERS_MESSAGE } from './members.js';
import type { MessageKind } from './message-kind.js';
import { PART_MESSAGE } from './part.js';
import { STATE_MESSAGE } from './state.js';
import { NEED_MESSAGE } from './state-request.js';
import { TURN_MESSAGE } from './turn.js';

const KINDS: ReadonlyMap<string, MessageKind> = new Map(
  [
    STATE_MESSAGE,
    NEED_MESSAGE,
    EXPIRED_MESSAGE,
    GONE_MESSAGE,
    ARRIVAL_MESSAGE,
    COMPARE_MESSAGE,
    ANSWER_MESSAGE,
    TURN_MESSAGE,
    DIGEST_MESSAGE,
    DIGESTED_MESSAGE,
    MARK_MESSAGE,
    LIST_MESSAGE,
    LISTED_MESSAGE,
    FUNCTIONS_MESSAGE,
    LIBRARIES_MESSAGE,
    LIBRARY_MESSAGE,
    FIELDS_MESSAGE,
    DEADLINE_MESSAGE,
    MEMBERS_MESSAGE,
    PART_MESSAGE,
  ].map((kind) => [kind.name, kind]),
);

/** The kind of message that a command is; undefined for any other command. @param name upper case */
export function messageKind(name: string): MessageKind | undefined {
  return KINDS.get(name);
}

/** Why these (the name first) are not the arguments of a well-formed message; undefined when they are. */
export function messageFault(args: readonly Buffer[]): string | undefined {
  const kind = KINDS.get(args[0]?.toString('latin1') ?? '');
  return kind === undefined ? 'it is no message' : kind.fault(args);
}

export function isMessage(args: readonly Buffer[]): boolean {
  return messageFault(args) === undefined;
}

/** Whether a message speaks of keys, and has its place among the writes of them. */
export function isOfKeys(name: string): boolean {
  return KINDS.get(name)?.group === 'keys';
}

/** Whether a message is a question or an answer: no write of the keys it names. */
export function isQuestionOrAnswer(name: string): boolean {
  const group = KINDS.get(name)?.group;
  return group === 'comparison' || group === 'libraries';
}

/** Whether a message runs nothing at its receiver, and is handed to the long work there. */
export function isForLongWork(name: string): boolean {
  return KINDS.get(name)?.isForLongWork === true;
}

/** The keys that a message speaks of, where it has its place among the writes of them: those a request asks for, the one of any other. */
export function messageKeys(name: string, args: readonly Buffer[]): PlacedKey[] {
  const kind = KINDS.get(name);
  return kind?.group === 'keys' ? kind.keys(args) : [];
}

/** The effect that is recorded of a message on those keys; undefined for any other command. @param args the name first */
export function messageEffect(name: string, args: readonly Buffer[]): RecordedEffect | undefined {
  return KINDS.get(name)?.effect?.(args);
}
