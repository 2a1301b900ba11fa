// A BullMQ queue moves to the other region: stop, `tandem wait`, begin there. Each job is done once.
import { Queue, Worker } from 'bullmq';
import { connectionOf, example, show, tandem, until } from './sites.mjs';

const QUEUE = 'example-mail';
const done = [];

/** What a region runs to work the queue. */
function work(site) {
  const queue = new Queue(QUEUE, { connection: connectionOf(site) });
  const send = async (job) => void done.push({ name: job.name, site });
  const worker = new Worker(QUEUE, send, { connection: connectionOf(site), drainDelay: 1 });
  worker.on('error', (error) => console.error(error.message));
  const stop = async () => {
    // Lets the jobs at work end.
    await worker.close();
    await queue.close();
  };
  return { queue, worker, stop };
}

const doneAt = (site) => done.filter((one) => one.site === site).length;

await example(`bull:${QUEUE}:`, async ({ east, west }) => {
  const before = work('east');
  for (let n = 0; n < 20; n++) await before.queue.add(`mail ${n}`, {});
  await until('the first half is done at east', () => doneAt('east') === 20);
  await before.worker.close();
  for (let n = 20; n < 40; n++) await before.queue.add(`mail ${n}`, {});
  await before.stop();

  show('tandem wait: all of east is at west', (await tandem('east', 'wait', '--timeout', '60s')) === 0);

  const after = work('west');
  for (let n = 40; n < 60; n++) await after.queue.add(`mail ${n}`, {});
  await until('all are done', () => done.length >= 60);
  await after.stop();
  show('20 jobs were done at east, 40 at west', doneAt('east') === 20 && doneAt('west') === 40);
  show('each was done once', new Set(done.map(({ name }) => name)).size === 60);

  // What cannot be: one queue that is worked at both sites. Neither knows what the other takes at this moment.
  await east.lpush(`bull:${QUEUE}:both`, 'an element');
  await until('the element is at west', () => west.exists(`bull:${QUEUE}:both`));
  const taken = await Promise.all([east, west].map((site) => site.rpop(`bull:${QUEUE}:both`)));
  const twice = taken.filter((element) => element !== null).length === 2;
  console.log(
    `\nTwo sites took one element at the same moment: ${twice ? 'both got it' : 'one got it, by chance'}`,
  );
});
