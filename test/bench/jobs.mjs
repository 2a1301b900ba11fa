/**
 * A queue of BullMQ's that is filled at one site and worked at the other: how many bytes each server's stream takes for it, and how
 * long a job waits until it is done. On one server alone it is the yardstick.
 * A process of its own, `node jobs.mjs <json>`; the result is one line of JSON.
 */
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';

const HOST = '127.0.0.1';
const QUEUE = 'bench-jobs';
const CONCURRENCY = 4;
const DRAIN_MS = 60_000;

const { producer, worker, rate, seconds, events } = JSON.parse(process.argv[2]);
const ports = [...new Set([producer, worker])];
const clients = ports.map((port) => new Redis(port, HOST, { protocol: 2 }));
const offsets = () => Promise.all(clients.map(offsetOf));

const before = await offsets();
const waitedMs = [];
const runs = new Map();
const queue = new Queue(QUEUE, {
  connection: { host: HOST, port: producer },
  streams: { events: { maxLen: events } },
});
await queue.waitUntilReady();
// The worker's side keeps as many events as the queue says.
const there = clients.at(-1);
while ((await there.hget(`bull:${QUEUE}:meta`, 'opts.maxLenEvents')) === null) await delay(10);
const worked = new Worker(
  QUEUE,
  async (job) => {
    waitedMs.push(performance.now() - job.data.at);
    runs.set(job.data.index, (runs.get(job.data.index) ?? 0) + 1);
    await delay(1);
  },
  {
    connection: { host: HOST, port: worker, maxRetriesPerRequest: null },
    concurrency: CONCURRENCY,
    drainDelay: 1,
  },
);
const errors = [];
worked.on('error', (error) => errors.push(error.message));

const began = performance.now();
const count = rate * seconds;
const adding = [];
for (let index = 0; index < count;) {
  const due = Math.min(count, Math.floor(((performance.now() - began) * rate) / 1000));
  for (; index < due; index++)
    adding.push(queue.add('job', { at: performance.now(), index, text: 'x'.repeat(100) }));
  await delay(1);
}
await Promise.all(adding);
const end = performance.now() + DRAIN_MS;
while (runs.size < count && performance.now() < end) await delay(10);
const drainedMs = performance.now() - began - seconds * 1000;
await worked.close();
await queue.close();
await delay(1000);
const after = await offsets();
for (const client of clients) client.disconnect();
const result = {
  jobs: count,
  done: runs.size,
  again: [...runs.values()].filter((times) => times > 1).length,
  errors: errors.length,
  drainedMs,
  waitedMs,
  // Of the stream of each server, a job.
  bytes: after.map((offset, i) => (offset - before[i]) / count),
};
process.stdout.write(JSON.stringify(result));

async function offsetOf(client) {
  return Number(/^master_repl_offset:(\d+)/m.exec(await client.info('replication'))[1]);
}
