/** A way from one process to a server that takes its time, and can be cut: as when the other site cannot be reached. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { Transform } from 'node:stream';

const HOST = '127.0.0.1';

/** @param delayMs each way */
export async function openLink(port, delayMs = 0) {
  const sockets = new Set();
  let isCut = false;
  let sent = 0;
  const server = createServer((near) => {
    near.on('error', () => undefined);
    if (isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ host: HOST, port, noDelay: true });
    far.on('error', () => undefined);
    near.setNoDelay(true);
    near.on('data', (chunk) => (sent += chunk.length));
    if (delayMs === 0) near.pipe(far).pipe(near);
    else near.pipe(delayed(delayMs)).pipe(far).pipe(delayed(delayMs)).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://${HOST}:${server.address().port}`,
    /** Bytes that the process has sent to the server. */
    sentBytes: () => sent,
    cut,
    restore: () => (isCut = false),
    close: () => {
      cut();
      server.close();
    },
  };
}

/** Passes everything on, in order, after a while, however much is on the way. */
function delayed(delayMs) {
  return new Transform({
    transform(chunk, _, done) {
      // Timers of one length go off in the order in which they were set.
      setTimeout(() => this.push(chunk), delayMs);
      done();
    },
    readableHighWaterMark: 64 * 1024 * 1024,
  });
}
