// A process that does jobs of the kind `count` until it is killed. Each step is noted in the list `steps`, as the process's
// number and the step, and saved as the checkpoint. Arguments: URL of the server, number of the process.
import { Redis } from 'ioredis';
import { loadConfig } from '../../dist/config/config.js';
import { ControlPlane } from '../../dist/jobs/jobs.js';
import { createLogger } from '../../dist/log/log.js';
import { keyNames } from '../../dist/redis/keys.js';

const [, , url, number] = process.argv;
const env = {
  TANDEM_PAIR: 'test',
  TANDEM_SITE: 'east',
  TANDEM_PEER: 'west',
  TANDEM_LOCAL_URL: url,
  TANDEM_PEER_URL: 'redis://127.0.0.1:1',
};
const config = loadConfig({ env });
const redis = new Redis(url, { protocol: 2 });

async function count({ data, checkpoint, save, progress }) {
  for (let step = Number(checkpoint ?? 0); step < data.steps; step++) {
    await redis.rpush('steps', `${number}:${step}`);
    await save(step + 1);
    await progress({ done: step + 1, total: data.steps });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return 'counted';
}

const plane = new ControlPlane({
  config,
  keys: keyNames({ prefix: 'tandem', pair: 'test' }),
  log: createLogger(config),
  tasks: { count },
});
await plane.run(new AbortController().signal);
