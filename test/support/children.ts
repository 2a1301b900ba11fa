import type { ChildProcess } from 'node:child_process';

const children = new Set<ChildProcess>();

process.once('exit', killAll);
// The test runner ends a worker with SIGTERM, or dies itself and so closes the channel: then there is no `exit`.
process.once('SIGTERM', endNow);
process.once('disconnect', endNow);

/** Makes sure that a child does not outlive this process, however a test run ends (save by SIGKILL). */
export function dieWithThisProcess(child: ChildProcess): void {
  children.add(child);
  child.once('close', () => children.delete(child));
}

function endNow(): void {
  killAll();
  process.kill(process.pid, 'SIGKILL');
}

function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
}
