import { getEventListeners } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { LinkedAbort } from '../../../src/async/linked-abort.js';

const LOOKS = 100_000;
const MIB = 2 ** 20;
/** What the heap may differ by itself. Entries left behind by `AbortSignal.any` are 7 MiB (measured with Node.js 20.20). */
const NOISE_BYTES = 2 * MIB;

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

describe('an abort linked to others', () => {
  it('comes when one of them does, with its reason', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const linked = new LinkedAbort(one.signal, other.signal);
    const reason = new Error('why');
    other.abort(reason);
    expect(linked.signal.reason).toBe(reason);
    expect(listeners(one.signal)).toBe(0);
    expect(new LinkedAbort(one.signal, other.signal).signal.reason).toBe(reason);
  });

  it('leaves nothing at a signal that lives for long, however often one is made', () => {
    const { signal } = new AbortController();
    const look = (): void => {
      const over = new LinkedAbort(signal);
      over.signal.addEventListener('abort', () => {}, { once: true });
      over.abort();
    };
    for (let i = 0; i < 1000; i++) look();
    const before = heapBytes();
    for (let i = 0; i < LOOKS; i++) look();
    expect(listeners(signal)).toBe(0);
    expect(heapBytes() - before).toBeLessThan(NOISE_BYTES);
  });

  it('is used everywhere in place of AbortSignal.any, which leaves an entry each time', () => {
    const sources = readdirSync('src', { recursive: true })
      .map((name) => join('src', String(name)))
      .filter((name) => name.endsWith('.ts'));
    expect(sources.length).toBeGreaterThan(100);
    const found = sources.filter((file) => /AbortSignal\.any\(/.test(readFileSync(file, 'utf8')));
    expect(found).toEqual([]);
  });
});

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
