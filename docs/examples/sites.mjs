// What the examples share: a client of each site, what is waited for, and what is shown.
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';

const TANDEM = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const DEADLINE_MS = 60_000;
const ASK_AGAIN_MS = 10;

/** Those of `./scripts/demo`, unless EAST_URL and WEST_URL say otherwise. */
const URLS = {
  east: process.env.EAST_URL ?? 'redis://127.0.0.1:6401',
  west: process.env.WEST_URL ?? 'redis://127.0.0.1:6402',
};
const OTHER = { east: 'west', west: 'east' };
const clients = [];

/** A connection to the Redis of a site. The application has Redis' own client, and nothing of Tandem's. */
export function connect(site) {
  const client = new Redis(URLS[site], { protocol: 2, maxRetriesPerRequest: null });
  client.on('error', (error) => console.error(`${site}: ${error.message}`));
  clients.push(client);
  return client;
}

/** The same for BullMQ, which makes its own. */
export function connectionOf(site) {
  const { hostname, port, username, password } = new URL(URLS[site]);
  return { host: hostname, port: Number(port), username, password, maxRetriesPerRequest: null };
}

/** Runs a command of `tandem` at a site, as its operator does, and gives its exit code. */
export function tandem(site, ...args) {
  const env = {
    PATH: process.env.PATH,
    TANDEM_PAIR: process.env.PAIR ?? 'demo',
    TANDEM_SITE: site,
    TANDEM_PEER: OTHER[site],
    TANDEM_LOCAL_URL: URLS[site],
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [TANDEM, ...args], { env }, (error) => resolve(error?.code ?? 0));
  });
}

/** Asks until it holds. Nothing at the other site is there at once: an application has to be able to wait. */
export async function until(what, holds) {
  const end = Date.now() + DEADLINE_MS;
  while (Date.now() < end) {
    if (await holds()) return;
    await delay(ASK_AGAIN_MS);
  }
  throw new Error(`not within ${DEADLINE_MS / 1000} s: ${what}`);
}

/** Prints what was found, and fails the example if it is not as its text says. */
export function show(text, isSo) {
  console.log(`${isSo ? 'yes' : 'NO '}  ${text}`);
  if (!isSo) process.exitCode = 1;
}

/** Removes what an earlier run has left, runs the example, and lets go of all connections. */
export async function example(prefix, run) {
  const [east, west] = [connect('east'), connect('west')];
  const keys = await east.keys(`${prefix}*`);
  if (keys.length > 0) await east.del(...keys);
  try {
    await until(
      'the keys of an earlier run to be gone',
      async () => (await west.keys(`${prefix}*`)).length === 0,
    );
    await run({ east, west });
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    for (const client of clients) client.disconnect();
  }
}
