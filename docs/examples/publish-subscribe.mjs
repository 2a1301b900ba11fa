// Messages cross: each subscriber at each site hears each message once. State that must not be missed stands in a key beside it.
import { connect, example, show, until } from './sites.mjs';

const CHANNELS = ['example:news:orders', 'example:news:stock'];
const COUNT = 50;

/** A subscriber and what it has heard, by channel. */
async function subscriber(site) {
  const client = connect(site);
  const heard = Object.fromEntries(CHANNELS.map((channel) => [channel, []]));
  client.on('message', (channel, message) => heard[channel].push(message));
  await client.subscribe(...CHANNELS);
  return heard;
}

await example('example:news:', async ({ east, west }) => {
  const names = ['east 1', 'east 2', 'west 1', 'west 2'];
  const subscribers = await Promise.all(names.map((name) => subscriber(name.split(' ')[0])));
  for (let n = 0; n < COUNT; n++)
    await Promise.all(
      CHANNELS.flatMap((channel) => [east.publish(channel, `east ${n}`), west.publish(channel, `west ${n}`)]),
    );
  const lists = subscribers.flatMap((heard) => Object.values(heard));
  await until('all messages to be heard', () => lists.every((list) => list.length >= COUNT * 2));
  show('four subscribers at two sites heard each message once', lists.every(isEachOnce));
  show(
    'those of one site in their order',
    lists.every((list) => isInOrder(list, 'east') && isInOrder(list, 'west')),
  );

  // The answer of PUBLISH counts the subscribers of its own server alone.
  show('PUBLISH at east tells of two subscribers', (await east.publish(CHANNELS[0], 'last')) === 2);

  // State and a notice of it: whoever was away, or is new, reads the state.
  await east.multi().hset('example:news:flags', 'checkout', 'on').publish(CHANNELS[1], 'flags').exec();
  await until('the notice to be heard at west', () => subscribers[2][CHANNELS[1]].includes('flags'));
  show('behind the notice the state is there', (await west.hget('example:news:flags', 'checkout')) === 'on');

  // What cannot be: one order of both sites' messages for all subscribers.
  const [atEast, atWest] = [subscribers[0], subscribers[2]].map((heard) => heard[CHANNELS[0]].join());
  const same = atEast === atWest ? 'the same, by chance' : 'not the same';
  console.log(`\nThe order of both sites' messages at east and at west: ${same}.`);
});

function isEachOnce(list) {
  const known = list.filter((message) => /^(east|west) \d+$/.test(message));
  return known.length === COUNT * 2 && new Set(known).size === COUNT * 2;
}

function isInOrder(list, site) {
  const numbers = list
    .filter((message) => message.startsWith(site))
    .map((message) => Number(message.split(' ')[1]));
  return numbers.every((number, at) => number === at);
}
