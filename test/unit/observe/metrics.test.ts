import { describe, expect, it } from 'vitest';
import { CONFLICT_OUTCOMES } from '../../../src/observe/conflict-outcome.js';
import { SKIP_REASONS } from '../../../src/observe/skip-reason.js';
import { renderMetrics } from '../../../src/observe/metrics.js';
import { exampleStatus } from './example-status.js';

const SAMPLE =
  /^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? (-?\d+(?:\.\d+)?)$/;

describe('the metrics', () => {
  it('are in the text format, each name announced once, with help and type, before its samples', () => {
    const announced = new Set<string>();
    let current = '';
    for (const line of renderMetrics(exampleStatus()).trimEnd().split('\n')) {
      const help = /^# HELP (\S+) \S/.exec(line)?.[1];
      if (help !== undefined) {
        expect(announced).not.toContain(help);
        announced.add((current = help));
      } else if (line.startsWith('#')) {
        expect(line).toMatch(new RegExp(`^# TYPE ${current} (counter|gauge)$`));
      } else {
        expect(SAMPLE.exec(line)?.[1], line).toBe(current);
      }
    }
  });

  it('end in _total exactly if they are counters', () => {
    const types = renderMetrics(exampleStatus()).matchAll(/^# TYPE (\S+) (\S+)$/gm);
    for (const [, name, type] of types) expect(name?.endsWith('_total'), name).toBe(type === 'counter');
  });

  it('have base units', () => {
    const text = renderMetrics(exampleStatus());
    expect(text).toContain('tandem_changes_captured_total 34001\n');
    expect(text).toContain('tandem_lag_seconds{direction="outbound"} 0.012\n');
    expect(text).toContain('tandem_change_list_bytes 65536\n');
    expect(text).toContain('tandem_clock_skew_seconds -0.25\n');
    expect(text).toContain('tandem_commands_skipped_total{reason="too-large"} 9\n');
  });

  it('leave out a skew that is not known', () => {
    expect(renderMetrics(exampleStatus({ clockSkewMs: null }))).not.toMatch(/^tandem_clock_skew_seconds /m);
  });

  it('have no lag where it is not known, and no link up where none is applied', () => {
    const status = exampleStatus();
    Object.assign(status.inbound, { lagMs: 0, pausedSince: 1 });
    status.outbound.stalledSince = status.at - 72_000;
    const text = renderMetrics(status);
    expect(text).toContain('tandem_lag_seconds{direction="outbound"} 0.012\n');
    expect(text).not.toContain('tandem_lag_seconds{direction="inbound"}');
    expect(text).toContain('tandem_link_up{direction="outbound"} 0\n');
    expect(renderMetrics(exampleStatus({ gap: true }))).not.toMatch(/^tandem_lag_seconds\{/m);
  });

  it('escape what would break a label', () => {
    expect(renderMetrics(exampleStatus({ conflicts: { 'a"b\\c\nd': 1 } }))).toContain(
      '{outcome="a\\"b\\\\c\\nd"} 1\n',
    );
  });

  it('are there with 0 before anything has happened', () => {
    const capture = { ...exampleStatus().capture, skippedTotal: {} };
    const text = renderMetrics(exampleStatus({ conflicts: {}, capture }));
    for (const outcome of CONFLICT_OUTCOMES)
      expect(text).toContain(`tandem_conflicts_total{outcome="${outcome}"} 0\n`);
    for (const reason of SKIP_REASONS)
      expect(text).toContain(`tandem_commands_skipped_total{reason="${reason}"} 0\n`);
    const counters = [...text.matchAll(/^# TYPE (\S+) counter$/gm)].map(([, name]) => name);
    expect(counters.filter((name) => !new RegExp(`^${name}[ {]`, 'm').test(text))).toEqual([]);
  });

  it('add conflicts up by what has become of them', () => {
    expect(renderMetrics(exampleStatus())).toContain('tandem_conflicts_total{outcome="own-stays"} 7\n');
  });
});
