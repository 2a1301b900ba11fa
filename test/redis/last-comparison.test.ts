import { beforeEach, expect, test } from 'vitest';
import { LastComparison } from '../../src/sync/last-comparison.js';
import { SILENT } from '../support/tandem-clients.js';
import { useServer } from '../support/use-server.js';
import { KEYS, openFresh } from './internal-keys.js';

const { redis: client } = useServer();

beforeEach(() => openFresh(client));

const RESULT = {
  compared: 50,
  equal: 43,
  differing: 7,
  byKind: { value: 7 },
  stays: {},
  repaired: 2,
  undecided: 0,
  excluded: 0,
  notComparable: 0,
};

async function afterRestart(): Promise<LastComparison> {
  const last = new LastComparison(KEYS.state, SILENT);
  await last.load(client);
  return last;
}

test('what the last comparison has left different is known to the next process, too', async () => {
  const last = await afterRestart();
  expect(last.found).toBeUndefined();
  await last.ended(client, 'job', {}, RESULT);
  expect(last.found).toEqual({ at: expect.any(Number) as number, compared: 50, differing: 5 });
  expect((await afterRestart()).found).toEqual(last.found);
  // A hash with anything but numbers in it would be taken for another client's.
  for (const field of Object.keys(await client.hgetall(KEYS.state)).filter((name) =>
    name.startsWith('compared'),
  ))
    expect(Number(await client.hget(KEYS.state, field))).toBeGreaterThan(0);
});

test.each([{ pattern: 'a*' }, { database: 1 }, { sample: 1 }])(
  'one of a part of the keys says nothing of all: %o',
  async (request) => {
    const last = await afterRestart();
    await last.ended(client, 'job', {}, RESULT);
    const { found } = last;
    await last.ended(client, 'job', request, { ...RESULT, differing: 0, repaired: 0 });
    expect(last.found).toEqual(found);
  },
);
