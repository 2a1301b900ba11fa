/**
 * The typed door to the Lua scripts in the folders beside this file: one script, one atomic transition; its header is its contract.
 *
 * Scripts are sent whole (`EVAL`): they are short, the server finds a known one by its digest in about a microsecond,
 * and `SCRIPT FLUSH` or a failover between two commands of a pipeline cannot break their order. Only the one that delivers batches, over
 * a link whose bytes count, is named by its digest (`EVALSHA`): an order that is broken there is mended as any gap.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { TandemError } from '../errors.js';
import { refusalOf, whereOf } from '../redis/connect.js';
import { sendCommand } from '../redis/send-command.js';

type Argument = string | number | Buffer;

/** The scripts, by the stage that sends them: a folder each, beside this file. */
const SCRIPTS = {
  site: [
    'adopt-copy',
    'begin-epoch',
    'bring-keys-home',
    'check-internal-keys',
    'open-state',
    'pause-directions',
    'write-status',
  ],
  lease: ['release-lease', 'take-lease'],
  jobs: ['ready-failed-job', 'reclaim-jobs', 'set-job-field'],
  capture: ['list-deadlines', 'list-field-deadlines', 'list-members', 'look-at-keyspace'],
  outbound: [
    'answer-copy',
    'append-batches',
    'deliver-batch',
    'deliver-heartbeat',
    'may-scan',
    'remove-foreign-batches',
    'tell-peer',
    'trim-changes',
  ],
  inbound: [
    'begin-transaction',
    'clear-rejected',
    'count-error-replies',
    'end-transaction',
    'flush-databases',
    'guard-transaction',
    'reject-commands',
    'retry-rejected',
    'rewind-inbox',
    'swap-databases',
  ],
  messages: ['send-mark', 'write-message', 'write-states'],
  conflicts: [
    'add-at-end',
    'ask-below-trim',
    'ask-doubted-expiry',
    'assemble-part',
    'attempt-commands',
    'cap-stream',
    'claim-entry',
    'drop-assembled',
    'edit-list',
    'end-fields',
    'give-deadline',
    'hold-deadline',
    'insert-beside',
    'insert-entries',
    'keep-deadline',
    'look-at-assembly',
    'merge-list',
    'move-element',
    'place-assembled',
    'replace-string',
    'restore-value',
    'run-again-on-field',
    'set-deadline',
    'set-fields',
    'splice-list',
    'tell-field-deadlines',
    'trim-stream',
    'write-on-field',
  ],
  sync: [
    'compare-keys',
    'copy-keys',
    'copy-part',
    'digest-keys',
    'find-absent-keys',
    'keep-claims',
    'list-keys',
    'look-at-key',
    'read-part',
    'say-assembled',
  ],
} as const;

export type ScriptName = (typeof SCRIPTS)[keyof typeof SCRIPTS][number];

const digests = new Map<ScriptName, string>();

let sources: Readonly<Record<ScriptName, string>> | undefined;

/** The source of a script, for a connection that is written to byte by byte. */
export function scriptSource(name: ScriptName): string {
  // All at the first use: a command that sends none need not read them, and those of one version stay together.
  sources ??= Object.fromEntries(
    Object.entries(SCRIPTS).flatMap(([stage, names]) =>
      names.map((one) => [one, withoutComments(withParts(sourceOf(`${stage}/${one}`)))]),
    ),
  ) as Record<ScriptName, string>;
  return sources[name];
}

/**
 * Runs a script and gives its result as ioredis delivers it (text, numbers, arrays).
 * @throws TandemError FENCED when another process has the lease, STATE_LOST when the keys are not as they were left, or the refusal
 */
export async function runScript(
  client: Redis,
  name: ScriptName,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  try {
    return await sendCommand(client, ['EVAL', scriptSource(name), keys.length, ...keys, ...args]);
  } catch (error) {
    throw scriptRefusal(name, error) ?? refusalOf(error, whereOf(client));
  }
}

/**
 * The same with a script that the server has been sent before, by its digest. Gives `forgotten`, and runs nothing, when it is not known
 * there any more.
 */
export async function runKnownScript(
  client: Redis,
  name: ScriptName,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  try {
    return await sendCommand(client, ['EVALSHA', scriptDigest(name), keys.length, ...keys, ...args]);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return 'forgotten';
    throw scriptRefusal(name, error) ?? refusalOf(error, whereOf(client));
  }
}

/** The digest by which a server knows a script. */
export function scriptDigest(name: ScriptName): string {
  const known = digests.get(name) ?? createHash('sha1').update(scriptSource(name)).digest('hex');
  digests.set(name, known);
  return known;
}

/** The error that a script's own error reply stands for; undefined when the error is not the script's. */
export function scriptRefusal(name: ScriptName, error: unknown): TandemError | undefined {
  const message = error instanceof Error ? error.message : String(error);
  const word = /^(?:ERR )?([A-Z]+)\b/.exec(message)?.[1];
  if (word === 'FENCED') {
    return new TandemError('FENCED', 'this process no longer holds the lease of this site', {
      hint: 'Another one may have taken over: then this one waits, and takes over when that one ends.',
    });
  }
  if (word === 'STATE' || word === 'POSITION' || word === 'SUSPECT') {
    return new TandemError('STATE_LOST', "Tandem's own keys are not as this process left them", {
      details: { script: name, found: message.slice(0, 120) },
    });
  }
  return undefined;
}

function sourceOf(file: string): string {
  return readFileSync(new URL(`./${file}.lua`, import.meta.url), 'utf8');
}

/** A line `-- @include name` stands for the file `name.part.lua`: what several scripts share. */
function withParts(source: string): string {
  return source.replace(/^-- @include (\w+)$/gm, (_, name: string) => sourceOf(`parts/${name}.part`));
}

function withoutComments(source: string): string {
  return source
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('--') && line.trim() !== '')
    .join('\n');
}
