// What needs one site that decides moves to the other region: stop, `tandem wait`, go on there. No number is given twice.
import { example, show, tandem } from './sites.mjs';

const NEXT = 'example:switch:next';

/** Takes a number and writes an order under it, as one region alone may do at a time. */
async function order(redis, site) {
  const number = await redis.incr(NEXT);
  await redis.hset(`example:switch:order:${number}`, 'written at', site);
  return number;
}

await example('example:switch:', async ({ east, west }) => {
  const numbers = [];
  for (let n = 0; n < 200; n++) numbers.push(await order(east, 'east'));
  // East takes no more orders from here on.
  show('tandem wait: all of east is at west', (await tandem('east', 'wait', '--timeout', '60s')) === 0);
  for (let n = 0; n < 200; n++) numbers.push(await order(west, 'west'));
  show('400 orders, each with a number of its own', new Set(numbers).size === 400 && numbers.at(-1) === 400);

  // And back, in the same way.
  show('tandem wait: all of west is at east', (await tandem('west', 'wait', '--timeout', '60s')) === 0);
  show('the next number at east', (await order(east, 'east')) === 401);
  const verify = await tandem('east', 'verify', '--pattern', 'example:switch:*', '--json');
  show('tandem verify finds no difference', verify === 0);
});
