// A cache in a program at west follows what east writes: by what west's Redis tracks, and by a channel.
import { connect, example, show, until } from './sites.mjs';

const PREFIX = 'example:cache:';
const CHANNEL = 'example:cache:changed';

await example(PREFIX, async ({ east, west }) => {
  const cached = new Map();
  const get = async (key) => {
    if (!cached.has(key)) cached.set(key, await west.get(key));
    return cached.get(key);
  };

  // West's Redis says which keys change there, whoever writes them: what Tandem applies is a write as any other.
  const told = connect('west');
  await told.ping();
  const id = await told.client('ID');
  told.on('message', (channel, keys) => {
    if (channel === '__redis__:invalidate') for (const key of [keys].flat()) cached.delete(key);
  });
  await told.subscribe('__redis__:invalidate');
  await west.client('TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', `${PREFIX}price:`);

  await east.set(`${PREFIX}price:1`, '10', 'EX', 300);
  await until('the price to be at west', async () => {
    cached.delete(`${PREFIX}price:1`);
    return (await get(`${PREFIX}price:1`)) === '10';
  });
  await east.set(`${PREFIX}price:1`, '12', 'EX', 300);
  await until(
    'the cache at west to have the new price',
    async () => (await get(`${PREFIX}price:1`)) === '12',
  );
  show('a write at east empties an entry of a cache at west', true);

  // A message in one transaction with the write: it is heard when the value is there, and not before.
  const heard = connect('west');
  const read = [];
  heard.on('message', (channel, key) => {
    cached.delete(key);
    read.push(west.get(key));
  });
  await heard.subscribe(CHANNEL);
  for (let version = 1; version <= 50; version++)
    await east.multi().set(`${PREFIX}name:1`, version).publish(CHANNEL, `${PREFIX}name:1`).exec();
  await until('50 messages to be heard', () => read.length === 50);
  const values = (await Promise.all(read)).map(Number);
  show(
    'whoever hears of a change reads it, or a newer one',
    values.every((value, at) => value > at),
  );

  // What cannot be: an entry that is gone at both sites at the same moment.
  console.log('\nBetween a write at east and its arrival, a reader at west gets the old value.');
});
