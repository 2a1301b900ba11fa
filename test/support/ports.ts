import { createServer } from 'node:net';

/** Below the range from which the kernel takes ports of outgoing connections: it cannot take ours in between. */
const FIRST = 20_000;
const COUNT = 12_000;
const ATTEMPTS = 50;

/** A port of 127.0.0.1 that was free just now. Somebody else may still be faster: try again with another one then. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
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
