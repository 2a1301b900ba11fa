import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LogOutput } from '../../../src/log/log-output.js';

const dir = mkdtempSync(join(tmpdir(), 'tandem-log-'));
const pipe = join(dir, 'pipe');
const open: number[] = [];
const outputs: LogOutput[] = [];
let told: number[] = [];

beforeAll(() => void spawnSync('mkfifo', [pipe]));
afterEach(() => {
  for (const output of outputs.splice(0)) output.close();
  for (const fd of open.splice(0)) closeSync(fd);
  told = [];
});
afterAll(() => rmSync(dir, { recursive: true }));

function opened(path: string, flags: string | number): number {
  const fd = openSync(path, flags);
  open.push(fd);
  return fd;
}

function outputTo(fd: number): LogOutput {
  const output = new LogOutput(fd, (lines) => told.push(lines));
  outputs.push(output);
  return output;
}

/** A pipe that is read only when asked, and what it holds. */
function pipeEnds(): { fd: number; read: () => string; leave: () => void } {
  const reader = opened(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = opened(pipe, 'w');
  const buffer = Buffer.alloc(1 << 20);
  const read = (): string => {
    let text = '';
    for (;;) {
      try {
        const length = readSync(reader, buffer);
        if (length === 0) return text;
        text += buffer.toString('utf8', 0, length);
      } catch {
        return text;
      }
    }
  };
  const leave = (): void => {
    closeSync(reader);
    open.splice(open.indexOf(reader), 1);
  };
  return { fd, read, leave };
}

describe('the output of the log', () => {
  it('writes line by line, and tells nobody while all is well', () => {
    const path = join(dir, 'file');
    const output = outputTo(opened(path, 'w'));
    output.write('one\n');
    output.write('two\n');
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
    expect({ told, dropped: output.dropped }).toEqual({ told: [], dropped: 0 });
  });

  it('drops and counts what a full disk does not take', () => {
    const output = outputTo(opened('/dev/full', 'w'));
    for (let i = 0; i < 3; i++) output.write('line\n');
    expect({ told, dropped: output.dropped }).toEqual({ told: [], dropped: 3 });
  });

  it('drops what nobody reads any more', () => {
    const { fd, leave } = pipeEnds();
    const output = outputTo(fd);
    output.write('one\n');
    leave();
    output.write('two\n');
    expect(output.dropped).toBe(1);
  });

  it('waits for a reader that does not read, once and shortly, and says what was lost when it reads again', () => {
    const { fd, read } = pipeEnds();
    const output = outputTo(fd);
    const line = (number: number): string => `${String(number).padStart(6, '0')} ${'x'.repeat(20_000)}\n`;
    const began = performance.now();
    for (let i = 0; i < 100; i++) output.write(line(i));
    expect(performance.now() - began).toBeLessThan(2000);
    expect(output.dropped).toBeGreaterThan(90);
    expect(told).toEqual([]);
    const before = read();
    output.write(line(100));
    output.write(line(101));
    const lines = (before + read()).split('\n').slice(0, -1);
    expect(told).toEqual([output.dropped]);
    // Each that was begun is whole.
    expect(lines.every((text) => text.length === 20_007)).toBe(true);
    expect(lines.length + output.dropped).toBe(102);
    expect(lines.at(-1)!.startsWith('000101')).toBe(true);
  });
});
