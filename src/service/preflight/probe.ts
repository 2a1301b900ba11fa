import type { Redis } from '../../redis/connect.js';
import { connectClient, refusalOf, whereOf } from '../../redis/connect.js';

/** A command as it is tried: its name as an ACL rule has it, and arguments of a valid number. */
export interface Probe {
  right: string;
  call: readonly string[];
}

/** Tries commands by sending them: only such as change nothing. */
export async function deniedDirectly(probe: Redis, probes: readonly Probe[]): Promise<string[]> {
  const denied: string[] = [];
  for (const { right, call } of probes) {
    const [name = '', ...rest] = call;
    const error = await probe.call(name, ...rest).then(
      () => null,
      (reason: unknown) => reason,
    );
    if (isDenial(error)) denied.push(right);
    else if (/unknown command/i.test(String(error))) denied.push(`${right} (the service does not offer it)`);
    else if (error instanceof Error && error.name !== 'ReplyError') throw error;
  }
  return denied;
}

/**
 * Tries commands without running them: between MULTI and DISCARD the server checks the rights to command, keys and
 * channels, then only queues. Unlike ACL DRYRUN this needs no right to ACL, and works on every version.
 */
export async function deniedInTransaction(probe: Redis, probes: readonly Probe[]): Promise<string[]> {
  try {
    await probe.call('multi');
    await probe.call('discard');
  } catch (error) {
    // Without a transaction the probes would run.
    if (isDenial(error)) return ['multi'];
    throw error;
  }
  const calls = [['multi'], ...probes.map(({ call }) => call), ['discard']];
  const results = (await probe.pipeline(calls.map((call) => ['call', ...call])).exec()) ?? [];
  const lost = results.find(([error]) => error !== null && error.name !== 'ReplyError')?.[0];
  if (lost) throw lost;
  const denied = probes.filter((_, index) => isDenial(results[index + 1]?.[0]));
  return [...new Set(denied.map(({ right }) => right))];
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

/** Also of a command inside a script: `ACL failure in script` since Redis 7, another text before. */
function isDenial(error: unknown): boolean {
  return error instanceof Error && /^NOPERM|ACL failure|can't run this command/.test(error.message);
}
