import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterAll, expect } from 'vitest';

/**
 * Fails a test file that leaves something behind which would keep a process alive: children, sockets, servers, timers.
 * Loaded before the file, so its hook runs after all hooks of the file itself.
 */
const WATCHED = [
  'ProcessWrap',
  'TCPSocketWrap',
  'TCPServerWrap',
  'TLSWrap',
  'PipeWrap',
  'PipeServerWrap',
  'Timeout',
];
const CLOSING_DEADLINE_MS = 10_000;
const PAUSE_MS = 20;

/** What a socket was made for is asked when it is too late to find out. */
const openSockets = new Map<Socket, string>();
for (const channel of ['net.client.socket', 'net.server.socket'])
  subscribe(channel, (message) => track((message as { socket: Socket }).socket));

const baseline = activeResources();

afterAll(async () => {
  const end = Date.now() + CLOSING_DEADLINE_MS;
  while (leftBehind().length > 0 && Date.now() < end) await unreferencedPause();
  const left = leftBehind();
  expect(left, `resources that this test file left open; its sockets:\n${describeSockets()}`).toEqual([]);
});

function leftBehind(): string[] {
  const now = activeResources();
  return WATCHED.filter((type) => (now.get(type) ?? 0) > (baseline.get(type) ?? 0)).map(
    (type) => `${(now.get(type) ?? 0) - (baseline.get(type) ?? 0)} × ${type}`,
  );
}

function track(socket: Socket): void {
  const [, ...frames] = new Error().stack?.split('\n') ?? [];
  const from = frames.filter((frame) => !/\(node:|leaks\.ts/.test(frame));
  openSockets.set(socket, from.join('\n'));
  socket.once('close', () => openSockets.delete(socket));
}

function describeSockets(): string {
  return [...openSockets]
    .map(([{ localPort, remotePort, readyState, destroyed, writableLength }, from]) => {
      const state = destroyed ? 'destroyed' : readyState;
      return `${localPort} to ${remotePort}, ${state}, ${writableLength} bytes to be written, made\n${from}`;
    })
    .join('\n');
}

function activeResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}

/** A timer that is not referenced is not counted by the very check that waits with it. */
function unreferencedPause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, PAUSE_MS).unref();
  });
}
