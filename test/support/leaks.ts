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
const CLOSING_DEADLINE_MS = 2_000;
const PAUSE_MS = 20;

const baseline = activeResources();

afterAll(async () => {
  const end = Date.now() + CLOSING_DEADLINE_MS;
  while (leftBehind().length > 0 && Date.now() < end) await unreferencedPause();
  expect(leftBehind(), 'resources that this test file left open').toEqual([]);
});

function leftBehind(): string[] {
  const now = activeResources();
  return WATCHED.filter((type) => (now.get(type) ?? 0) > (baseline.get(type) ?? 0)).map(
    (type) => `${(now.get(type) ?? 0) - (baseline.get(type) ?? 0)} × ${type}`,
  );
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
