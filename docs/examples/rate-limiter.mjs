// A limiter at both sites: the counts add up, and what both let through before they have heard of each other is too much.
import { example, show, until } from './sites.mjs';

const LIMIT = 10;
const WINDOW_MS = 60_000;

/** Counts, and says whether it is within the limit. The key gets its deadline in the command that makes it. */
async function isAllowed(redis, key, limit) {
  const replies = await redis.multi().set(key, 0, 'PX', WINDOW_MS, 'NX').incr(key).exec();
  return replies[1][1] <= limit;
}

async function allowed(redis, key, limit, tries) {
  let passed = 0;
  for (let n = 0; n < tries; n++) if (await isAllowed(redis, key, limit)) passed++;
  return passed;
}

await example('example:limit:', async ({ east, west }) => {
  const key = 'example:limit:user:1';
  const passed = await Promise.all([allowed(east, key, LIMIT, 15), allowed(west, key, LIMIT, 15)]);
  const sum = passed[0] + passed[1];
  console.log(
    `At the same moment ${passed[0]} passed at east, and ${passed[1]} at west; the limit is ${LIMIT}.\n`,
  );
  show('no more than the limit at each site', sum >= LIMIT && sum <= LIMIT * 2);
  await until('both sites to count all 30', async () => {
    const counts = await Promise.all([east.get(key), west.get(key)]);
    return counts.every((count) => count === '30');
  });
  show('then both have counted all', true);
  const later = await Promise.all([isAllowed(east, key, LIMIT), isAllowed(west, key, LIMIT)]);
  show(
    'and let nobody pass',
    later.every((passes) => !passes),
  );
  const left = await Promise.all([east.pttl(key), west.pttl(key)]);
  show(
    'the window ends at both',
    left.every((ms) => ms > 0 && ms <= WINDOW_MS),
  );

  // A limit that must never be passed: each site has a half of it, under a key of its own.
  const halves = await Promise.all([
    allowed(east, 'example:limit:east:user:1', LIMIT / 2, 15),
    allowed(west, 'example:limit:west:user:1', LIMIT / 2, 15),
  ]);
  show('with a half for each site never more than the limit', halves[0] + halves[1] === LIMIT);
});
