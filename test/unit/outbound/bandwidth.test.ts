import { expect, test } from 'vitest';
import { pino } from 'pino';
import { Bandwidth } from '../../../src/outbound/bandwidth.js';
import type { Redis } from '../../../src/redis/connect.js';

/** A client that has written so many bytes to its connection. */
function fake(bytesPerSecond: number) {
  const lines: string[] = [];
  const client = { status: 'ready', stream: { bytesWritten: 0 } };
  const clock = { now: 1e6 };
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
  const bandwidth = new Bandwidth({
    client: client as unknown as Redis,
    bytesPerSecond,
    log,
    now: () => clock.now,
  });
  return { bandwidth, client, clock, lines };
}

test('all that was written to the connection counts, whoever wrote it, and on the next one too', () => {
  const { bandwidth, client, clock } = fake(1000);
  expect(bandwidth.waitMs).toBe(0);
  client.stream.bytesWritten = 150;
  expect(bandwidth.waitMs).toBe(100);
  client.stream.bytesWritten += 100;
  expect(bandwidth.waitMs).toBe(200);
  client.stream = { bytesWritten: 300 };
  expect(bandwidth.waitMs).toBe(500);
  client.status = 'reconnecting';
  clock.now += 500;
  expect(bandwidth.waitMs).toBe(0);
});

test('without a bound nothing waits', () => {
  const { bandwidth, client } = fake(0);
  client.stream.bytesWritten = 1e12;
  expect([bandwidth.waitMs, bandwidth.atOnceBytes]).toEqual([0, Infinity]);
});

test('that something is held back is known for a second, and logged once it lasts, once a minute', () => {
  const { bandwidth, clock, lines } = fake(1000);
  expect(bandwidth.isHolding).toBe(false);
  const hold = (ms: number): void => {
    for (const end = clock.now + ms; clock.now < end; clock.now += 100) bandwidth.held();
  };
  hold(900);
  expect(bandwidth.isHolding).toBe(true);
  expect(lines).toEqual([]);
  clock.now += 2000;
  expect(bandwidth.isHolding).toBe(false);
  hold(1500);
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
    expect.objectContaining({
      wanBytesPerSecond: 1000,
      msg: 'the bound of the bandwidth holds changes back',
    }),
  ]);
  hold(50_000);
  expect(lines.length).toBe(1);
  hold(20_000);
  expect(lines.length).toBe(2);
});
