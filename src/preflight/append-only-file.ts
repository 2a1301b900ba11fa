import type { Redis } from '../redis/connect.js';
import type { ServerFacts } from '../redis/server-facts.js';
import type { Verdict } from './finding.js';
import { withProbeClient } from './probe.js';

/**
 * While a server loads its append-only file it does so as the user `default`. Servers before these look, at each `EXEC` in it, at
 * what that user may do, and leave out the whole transaction if it may not do all of it: each is one line `CRITICAL` in the log
 * and nothing more. Bare commands are not looked at. That it is `off` does not matter.
 */
const SOUND_SINCE = { Redis: [8, 6, 0], Valkey: [9, 1, 2] } as const;

/** A server that has no modules has about this many write commands; more are not tried. */
const MAX_TRIED = 500;
const KEY = 'no-key-of-tandem:check';
const NAME = 'append-only file';
const ADVICE =
  'ACL SETUSER default ~* &* +@all, and the same in the ACL file (or ACL SAVE): a user that is off stays closed with it.';

/** Whether the server gets back what transactions and scripts wrote when it loads its append-only file. */
export async function judgeAppendOnlyFile(client: Redis, facts: ServerFacts): Promise<Verdict> {
  if (facts.isAofOn === null)
    return { name: NAME, outcome: 'skipped', message: 'the server does not tell whether it has one' };
  if (!facts.isAofOn) return { name: NAME, outcome: 'pass', message: 'off' };
  if (isSound(facts)) return { name: NAME, outcome: 'pass', message: 'on' };
  return withProbeClient(client, judgeDefaultUser);
}

async function judgeDefaultUser(probe: Redis): Promise<Verdict> {
  const denied = (await deniedByTrial(probe)) ?? (await deniedByRules(probe));
  if (denied === null)
    return {
      name: NAME,
      outcome: 'warn',
      message:
        'on, and the account may not ask what the user default may do: if that lacks rights, even while it is off, this server loses every transaction and script when it loads the file',
      advice: `See that ACL LIST has ~* &* +@all for default, or grant this account +acl|dryrun and check again. To mend it: ${ADVICE}`,
    };
  if (denied.length === 0)
    return { name: NAME, outcome: 'pass', message: 'on, and the user default lacks no right to load it' };
  const shown = denied.slice(0, 6).join(', ');
  return {
    name: NAME,
    outcome: 'fail',
    code: 'NO_PERMISSION',
    message: `on, and the user default lacks rights (${shown}${denied.length > 6 ? ` and ${denied.length - 6} more` : ''}): this server loses every transaction and script that needs them when it loads the file`,
    advice: ADVICE,
  };
}

function isSound({ product, version }: ServerFacts): boolean {
  const found = (version ?? '').split('.').map(Number);
  for (const [place, least] of SOUND_SINCE[product].entries()) {
    const number = found[place] ?? 0;
    if (number !== least) return number > least;
  }
  return true;
}

/** The commands that the default user may not run, by `ACL DRYRUN`. Null where that is not known or not allowed. */
async function deniedByTrial(probe: Redis): Promise<string[] | null> {
  const calls = [['select', '0'], ...(await writeCommands(probe))];
  const tried = calls.map((call) => ['call', 'acl', 'dryrun', 'default', ...call]);
  const answers = (await probe.pipeline(tried).exec()) ?? [];
  if (answers.length !== calls.length || !answers.some(([error]) => error === null)) return null;
  const isDenied = (answer: unknown): boolean => /no permissions|can't (run|access)/.test(String(answer));
  const names = calls.filter((_, i) => isDenied(answers[i]?.[1])).map(([name = '']) => name);
  return [...new Set(names)];
}

/** The same by its rules, for Redis 6.2; null where the account may not read them. */
async function deniedByRules(probe: Redis): Promise<string[] | null> {
  const reply: unknown = await probe.call('acl', 'getuser', 'default').catch(() => null);
  if (!Array.isArray(reply)) return null;
  const rule = (name: string): string => String(reply[reply.indexOf(name) + 1]);
  const keys = rule('keys').split(/[ ,]/);
  return [
    ...(rule('commands') === '+@all' ? [] : ['+@all']),
    ...(keys.includes('~*') || keys.includes('*') ? [] : ['~*']),
  ];
}

/** Every command that writes, with a key that nobody has in all places; a few that are everywhere without the right to COMMAND. */
async function writeCommands(probe: Redis): Promise<string[][]> {
  const reply = (await probe.call('command').catch(() => [])) as [string, number, string[], ...unknown[]][];
  const found = reply.flatMap((entry) => [entry, ...((entry[9] ?? []) as typeof reply)]);
  const writes = found.filter(([, , flags]) => flags.includes('write')).slice(0, MAX_TRIED);
  if (writes.length === 0)
    return [
      ['set', KEY, KEY],
      ['del', KEY],
      ['hset', KEY, KEY, KEY],
    ];
  return writes.map(([name, arity]) => {
    const words = name.split('|');
    const missing = Math.max(0, Math.abs(arity) - words.length);
    return [...words, ...Array.from({ length: missing }, () => KEY)];
  });
}
