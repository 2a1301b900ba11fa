import type { Redis } from '../redis/connect.js';
import { connectClient, refusalOf, whereOf } from '../redis/connect.js';
import type { Calls } from './needed-calls.js';

/** A command as it is tried: its name as an ACL rule has it, and arguments of a valid number. */
export interface Probe {
  right: string;
  call: readonly string[];
}

/** What a server does not do for an account, each in the order of the probes. */
export interface Refused {
  /** Commands the account may not use. */
  denied: string[];
  /** Commands the server does not have, or has under another name. */
  unknown: string[];
}

/** The probes of all calls, with a key where one is left open. */
export function probesOf(calls: Calls, key: string): Probe[] {
  return Object.entries(calls).map(([right, args]) => ({
    right,
    call: [...right.split('|'), ...args.map((argument) => (argument === '' ? key : argument))],
  }));
}

/** Tries commands by sending them: only such as change nothing. */
export async function refusedDirectly(probe: Redis, probes: readonly Probe[]): Promise<Refused> {
  const results: unknown[] = [];
  for (const { call } of probes) {
    const [name = '', ...rest] = call;
    results.push(
      await probe.call(name, ...rest).then(
        () => null,
        (reason: unknown) => reason,
      ),
    );
  }
  return refusedOf(probes, results);
}

/**
 * Tries commands of which a server must not see the next before it has answered the last: all go in one write, so that each but the
 * first is met by the replies before it, which are still to be sent.
 */
export async function refusedAtOnce(probe: Redis, probes: readonly Probe[]): Promise<Refused> {
  const results = (await probe.pipeline(probes.map(({ call }) => ['call', ...call])).exec()) ?? [];
  return refusedOf(
    probes,
    results.map(([error]) => error),
  );
}

/**
 * Tries commands without running them: between MULTI and DISCARD the server checks the rights to command, keys and
 * channels, then only queues. Unlike ACL DRYRUN this needs no right to ACL, and works on every version.
 */
export async function refusedInTransaction(probe: Redis, probes: readonly Probe[]): Promise<Refused> {
  const words = ['multi', 'discard'].map((right) => ({ right, call: [right] }));
  const refused = await refusedDirectly(probe, words);
  // Without a transaction the probes would run.
  if (refused.denied.length + refused.unknown.length > 0) return refused;
  const calls = [['multi'], ...probes.map(({ call }) => call), ['discard']];
  const results = (await probe.pipeline(calls.map((call) => ['call', ...call])).exec()) ?? [];
  return refusedOf(
    probes,
    results.slice(1, -1).map(([error]) => error),
  );
}

/** Both together, each command once. */
export function both(one: Refused, other: Refused): Refused {
  return {
    denied: [...new Set([...one.denied, ...other.denied])],
    unknown: [...new Set([...one.unknown, ...other.unknown])],
  };
}

/** Runs something with a connection of its own that never connects twice: a probe must not outlive its transaction. */
export async function withProbeClient<T>(client: Redis, use: (probe: Redis) => Promise<T>): Promise<T> {
  const probe = client.duplicate({ retryStrategy: null });
  probe.on('error', () => {});
  try {
    await connectClient(probe);
    return await use(probe);
  } catch (error) {
    throw refusalOf(error, whereOf(client));
  } finally {
    probe.disconnect();
  }
}

/** @throws what is no answer of the server: a lost connection */
function refusedOf(probes: readonly Probe[], results: readonly unknown[]): Refused {
  const lost = results.find((error) => error instanceof Error && error.name !== 'ReplyError');
  if (lost) throw lost;
  const those = (is: (error: unknown) => boolean): string[] => [
    ...new Set(probes.filter((_, index) => is(results[index])).map(({ right }) => right)),
  ];
  return { denied: those(isDenial), unknown: those(isUnknown) };
}

/** Also of an `EXEC`, which discards the transaction then, and of a command inside a script: `ACL failure in script` since Redis 7, another text before. */
function isDenial(error: unknown): boolean {
  return (
    error instanceof Error && /^(EXECABORT .*)?NOPERM|ACL failure|can't run this command/.test(error.message)
  );
}

/** Also of a command inside a script, in the words of each version. */
function isUnknown(error: unknown): boolean {
  return error instanceof Error && /unknown (redis |valkey )?(command|subcommand)/i.test(error.message);
}
