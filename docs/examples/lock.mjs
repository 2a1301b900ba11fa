// A lock has a home: one site grants it, and gives each holder a number that rises. What is protected refuses an older number.
import { connect, example, show, until } from './sites.mjs';

const LOCK = 'example:lock:report';
const TOKEN = 'example:lock:token';
const REPORT = 'example:lock:data';
const HELD_MS = 200;

/** Gives a token to whoever gets the lock, and nothing to anybody else. */
const ACQUIRE = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return redis.call('INCR', KEYS[2]) end
return false`;
/** Writes, unless somebody with a newer token has written. */
const WRITE = `
if tonumber(ARGV[1]) < tonumber(redis.call('HGET', KEYS[1], 'token') or '0') then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'text', ARGV[2])
return 1`;

const acquire = (home, owner) => home.eval(ACQUIRE, 2, LOCK, TOKEN, owner, HELD_MS);
const write = (home, token, text) => home.eval(WRITE, 1, REPORT, token, text);

await example('example:lock:', async ({ east, west }) => {
  // East is the lock's home. A worker in the west region connects to east's Redis for it.
  const [here, fromWest] = [east, connect('east')];
  const first = await acquire(here, 'a worker in the east');
  show(
    'one worker has the lock, the other has not',
    first === 1 && (await acquire(fromWest, 'another')) === null,
  );

  // The first worker hangs for longer than the lock lasts.
  let second = null;
  await until('the lock to be free', async () => (second = await acquire(fromWest, 'another')) !== null);
  show('the next holder has a higher token', second > first);
  show('the holder writes', (await write(fromWest, second, 'by the second')) === 1);
  show('the first one wakes up, and is refused', (await write(here, first, 'by the first')) === 0);
  await until('the report to be at west', async () => (await west.hget(REPORT, 'text')) !== null);
  show('both regions read the report of the second', (await west.hget(REPORT, 'text')) === 'by the second');

  // What cannot be: a lock that two sites grant. Each says yes before it has heard of the other.
  const lock = 'example:lock:both';
  const taken = await Promise.all([east.set(lock, 'east', 'NX'), west.set(lock, 'west', 'NX')]);
  const both = taken.every((answer) => answer === 'OK');
  await until('both sites to read one holder', async () => (await east.get(lock)) === (await west.get(lock)));
  console.log(
    `\nSET NX at both sites at the same moment: ${both ? 'both got OK' : 'one got OK, by chance'}.`,
  );
  console.log(`Afterwards both read ${await east.get(lock)}, and nobody tells the other holder.`);
});
