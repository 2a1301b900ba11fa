import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

interface Row {
  readonly scenario: string;
  readonly title: string;
  readonly pipeline: number;
  readonly changesPerSecond: number;
  readonly ofNative?: number;
  readonly cpuOfNative?: number;
}

const { chartOf } = (await import(pathToFileURL(resolve('test/bench/chart.mjs')).href)) as {
  chartOf: (report: { throughput: Row[]; machine: Record<string, string | number> }) => string;
};

const machine = { server: 'Redis 7', node: 'v20', cores: 2, cpu: 'a <fast> one' };

test('the chart has a bar for each rate, as long as its share of the highest', () => {
  const native = { scenario: 'native', title: 'native replica' };
  const both = { scenario: 'both-ways', title: 'both ways', ofNative: 0.5, cpuOfNative: 3.25 };
  const svg = chartOf({
    machine,
    throughput: [
      { ...native, pipeline: 1, changesPerSecond: 100_000 },
      { ...both, pipeline: 1, changesPerSecond: 50_000 },
      { ...native, pipeline: 16, changesPerSecond: 200_000 },
      { scenario: 'floor-one-way', title: 'floor', pipeline: 16, changesPerSecond: 100_000 },
    ],
  });
  const fills = [...svg.matchAll(/<rect x="190".* fill="(.*?)"/g)].map(([, fill]) => fill);
  expect(fills.map((fill) => fill === fills[1])).toEqual([false, true, false, false]);
  const widths = [...svg.matchAll(/<rect x="190" y="\d+" width="(\d+)"/g)].map(([, width]) => Number(width));
  expect(widths).toEqual([190, 95, 380, 190]);
  expect(svg).toContain('50,000: 0.50 of native, CPU × 3.3');
  expect(svg).toContain('a &#60;fast&#62; one');
});

test('a report without rates is refused', () => {
  expect(() => chartOf({ machine, throughput: [] })).toThrow('no rates');
});
