/** Messages that Tandem has written to its own key, for capture to take them out of the stream at that place. */

import { ANSWER } from '../protocol/messages/answer.js';
import { DIGESTED } from '../protocol/messages/digested.js';
import { MARK } from '../protocol/messages/mark.js';
import { isMessage } from '../protocol/messages/messages.js';
import { PART } from '../protocol/messages/part.js';
import { NEED } from '../protocol/messages/state-request.js';
import { STATE } from '../protocol/messages/state.js';
import { CommandReader } from '../redis-commands/command-reader.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import type { CaptureOptions } from './capture-options.js';
import { outgoing } from './outgoing.js';

/**
 * Messages behind which a batch ends: what answers one holds what was made before it, and no more; and a state whose value has come in
 * parts is planned when all of them are there.
 */
export const ENDING: ReadonlySet<string> = new Set([NEED, STATE, MARK, PART]);

/** A message, and where its bytes lie. */
export interface WrittenMessage {
  /** Well-formed, the name first. */
  readonly args: readonly Buffer[];
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** The messages in these bytes, of which copies are made; nothing when they are, or hold, anything else. */
export function readMessages(bytes: Buffer): WrittenMessage[] | undefined {
  const reader = new CommandReader();
  const buffer = Buffer.from(bytes);
  const messages: WrittenMessage[] = [];
  try {
    reader.push(buffer);
    while (reader.next()) {
      const args = reader.arguments();
      if (!isMessage(args)) return undefined;
      messages.push({ args, buffer, start: reader.start, end: reader.end });
    }
  } catch {
    return undefined;
  }
  return messages.length > 0 && reader.consumed === bytes.length ? messages : undefined;
}

/** What leaves the site of a message; nothing where the filters hold it back. */
export function leavingOf(
  message: WrittenMessage,
  options: Pick<CaptureOptions, 'filter' | 'functions' | 'events'>,
): WrittenMessage | undefined {
  const args = outgoing(message.args, options);
  if (!args) return undefined;
  const name = args[0]!.toString('latin1');
  const { events } = options;
  if (name === ANSWER || name === DIGESTED) return { args, ...whole(events.answering(args)) };
  if (name === MARK) return { args, ...whole(events.marking(args)) };
  return args === message.args ? message : { args, ...whole(encodeCommand(args)) };
}

/** All of a buffer. */
export function whole(buffer: Buffer): Omit<WrittenMessage, 'args'> {
  return { buffer, start: 0, end: buffer.length };
}
