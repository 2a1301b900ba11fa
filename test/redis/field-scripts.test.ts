/** The scripts that run commands on fields with a deadline, on servers that have such fields. Clients write names in either case. */

import { beforeAll, expect, test } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { useServer } from '../support/use-server.js';

const [APPLIED, OUT, KEY] = ['applied', 'out', 'k'];

const { redis } = useServer({ isEmptied: true });
let hasFields: boolean;

beforeAll(async () => {
  const [known] = (await redis.call('COMMAND', 'INFO', 'HPEXPIREAT')) as unknown[];
  hasFields = known !== null;
});

/** When the field ends, in ms since 1970. */
async function deadline(): Promise<number> {
  return ((await redis.call('HPEXPIRETIME', KEY, 'FIELDS', 1, 'f')) as number[])[0]!;
}

test.for(['HPEXPIREAT', 'hpexpireat'])(
  'a past deadline by %s ends the field behind the transaction, not for what was run after it',
  async (name, { skip }) => {
    if (!hasFields) skip();
    const past = Date.now() - 1000;
    await redis.hset(KEY, 'f', 1);
    const expire = [name, KEY, past, 'FIELDS', 1, 'f'];
    await redis.eval(scriptSource('write-on-field'), 2, KEY, OUT, 0, 'request', 0, 'f', ...expire);
    expect(await deadline()).toBeGreaterThan(past);

    await redis.del(KEY);
    const sum = ['HINCRBY', KEY, 'f', 1];
    const words = [sum, expire, sum].flatMap((one) => [one.length, ...one]);
    await redis.eval(scriptSource('run-again-on-field'), 2, APPLIED, KEY, 'f', 0, 0, 0, 0, ...words);
    expect(await deadline()).toBeGreaterThan(past);
  },
);
