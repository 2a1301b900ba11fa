import { expect, test } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { useServer } from '../support/use-server.js';
import { KEY, type Command } from './value-samples.js';

const { redis } = useServer({ isEmptied: true });

async function run(commands: readonly Command[]): Promise<void> {
  for (const [name, ...args] of commands) await redis.call(name, ...args);
}

/** The third part of the first triple that a script would send. */
async function told(script: string, ...args: (string | number)[]): Promise<string> {
  const source = script.replace(/redis\.call\('SET', KEYS\[1\].*\n.*\n/, 'do return parts[1] end\n');
  const text = String(await redis.eval(source, 1, 'out', ...args));
  return text.trim().split('\r\n').at(-1)!;
}

test('of a type whose parts no server tells only another dump is found, and that says nothing', async (context) => {
  const known = (await redis.call('COMMAND', 'INFO', 'VADD')) as unknown[];
  if (!known[0]) return context.skip();
  // As it is with the types of other modules: their names are in no table.
  const [digest, compare] = (['digest-keys', 'compare-keys'] as const).map((name) =>
    scriptSource(name).replace('vectorset = function', 'another = function'),
  );
  const add = (...names: string[]): Promise<unknown> =>
    run(names.map((name): Command => ['VADD', KEY, 'VALUES', 2, 1, name.length, name]));
  const findings = async (change: () => Promise<unknown>): Promise<string> => {
    await redis.flushall();
    await add('a', 'bb');
    const theirs = await told(digest!, 's', 1, 0, 1000, 0, KEY);
    await change();
    return told(compare!, 's', 1, 1, 0, 16, 0, KEY, theirs);
  };
  expect(await findings(async () => {})).toBe('q');
  expect(await findings(() => add('ccc'))).toMatch(/^u\d+$/);
  expect(await findings(() => redis.pexpire(KEY, 100_000))).toMatch(/^e\d+$/);
  expect(await findings(() => redis.del(KEY))).toBe('m');
});

test('an expiry beyond what a number here holds is told in full, and is the same for the same time', async () => {
  for (const at of ['9007199254740993', '9223372036854775000', '9223372036854775807']) {
    await run([
      ['SET', KEY, 'v'],
      ['PEXPIREAT', KEY, at],
    ]);
    const entry = (): Promise<string> => told(scriptSource('digest-keys'), 's', 1, 0, 1000, 1, 0, KEY);
    const expiry = /:(\d+)~?$/.exec(await entry())?.[1] ?? '0';
    expect(Math.abs(Number(BigInt(expiry) - BigInt(at))), at).toBeLessThanOrEqual(1023);
    await run([['PEXPIREAT', KEY, expiry]]);
    expect(await entry()).toContain(`:${expiry}`);
  }
});
