import { createServer } from 'node:net';

/** Below the range from which the kernel takes ports of outgoing connections: it cannot take ours in between. */
const FIRST = 20_000;

/**
 * A port that was free when asked for is not taken until somebody's process listens there, and is free again while that process is
 * killed and started anew. So no worker gives a port of another's, or one of its own twice, until it has given them all. The place
 * to begin is by chance, for runs beside this one.
 */
const SHARES = 4;
const COUNT = 3_000;
const first = FIRST + COUNT * (Number(process.env['VITEST_POOL_ID'] ?? 0) % SHARES);
let given = Math.floor(Math.random() * COUNT);

const ATTEMPTS = 50;

/** A port of 127.0.0.1 that is free, and that no other test of this run is given at the same time. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = first + (given++ % COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found in ${ATTEMPTS} attempts`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
