// A session in a hash, a field for each thing: what both sites write at once stays. As one text, one of them is lost.
import { example, show, until } from './sites.mjs';

const LASTS_SECONDS = 1800;

function write(redis, key, field, value) {
  return redis.multi().hset(key, field, value).expire(key, LASTS_SECONDS).exec();
}

await example('example:session:', async ({ east, west }) => {
  const key = 'example:session:1';
  await write(east, key, 'user', 'Ada');
  await until('the session to be at west', () => west.exists(key));

  await Promise.all([write(east, key, 'cart', 'three things'), write(west, key, 'theme', 'dark')]);
  const wanted = 'Ada, three things, dark';
  const read = async (redis) => (await redis.hmget(key, 'user', 'cart', 'theme')).join(', ');
  await until('both sites to read the same', async () => (await read(east)) === (await read(west)));
  await until('both to have both', async () => (await read(west)) === wanted);
  show('fields that both sites write at once are all there, at both', (await read(east)) === wanted);
  const left = await Promise.all([east.ttl(key), west.ttl(key)]);
  show(
    'the session ends at both',
    left.every((seconds) => seconds > 0 && seconds <= LASTS_SECONDS),
  );

  // What cannot be: two changes of one text that are both kept.
  const text = 'example:session:text';
  await Promise.all([
    east.set(text, JSON.stringify({ cart: 'three things' }), 'EX', LASTS_SECONDS),
    west.set(text, JSON.stringify({ theme: 'dark' }), 'EX', LASTS_SECONDS),
  ]);
  await until('both sites to read the same', async () => {
    const texts = await Promise.all([east.get(text), west.get(text)]);
    return texts[0] === texts[1];
  });
  console.log(`\nAs one text, of both writes one stays: ${await east.get(text)}`);
});
