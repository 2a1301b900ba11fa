import { describe, expect, it } from 'vitest';
import { renderMetrics } from '../../../src/service/metrics.js';
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
    expect(text).toContain('tandem_changes_captured_total 34567\n');
    expect(text).toContain('tandem_lag_seconds{direction="outbound"} 0.012\n');
    expect(text).toContain('tandem_change_list_bytes 65536\n');
    expect(text).toContain('tandem_clock_skew_seconds -0.25\n');
    expect(text).toContain('tandem_commands_skipped_total{reason="own key"} 9\n');
  });

  it('leave out a skew that is not known', () => {
    expect(renderMetrics(exampleStatus({ clockSkewMs: null }))).not.toMatch(/^tandem_clock_skew_seconds /m);
  });

  it('escape what would break a label', () => {
    expect(renderMetrics(exampleStatus({ conflicts: { 'a"b\\c\nd': 1 } }))).toContain(
      '{kind="a\\"b\\\\c\\nd"} 1\n',
    );
  });
});
