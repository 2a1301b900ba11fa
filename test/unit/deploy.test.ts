import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { SETTINGS } from '../../src/config/settings.js';
import { renderMetrics } from '../../src/observe/metrics.js';
import { exampleStatus } from './observe/example-status.js';

const METRICS = new Set(
  [...renderMetrics(exampleStatus()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name),
);
const NAME = /\btandem_[a-z_]+\b/g;

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

function read(file: string): string {
  return readFileSync(`deploy/${file}`, 'utf8');
}

describe('what is shipped under deploy/', () => {
  it('has alert rules on metrics that exist, each with what to do', () => {
    const { groups } = parse(read('prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr, labels, annotations } of rules) {
      const named = expr.match(NAME) ?? [];
      expect(named, alert).not.toEqual([]);
      expect(
        named.filter((name) => !METRICS.has(name)),
        alert,
      ).toEqual([]);
      expect(['warning', 'critical']).toContain(labels.severity);
      expect(annotations.summary.length * annotations.description.length, alert).toBeGreaterThan(0);
    }
  });

  it('has a dashboard on metrics that exist', () => {
    const dashboard = JSON.parse(read('grafana/tandem.json')) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    const named = dashboard.panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => expr.match(NAME) ?? []),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !METRICS.has(name))).toEqual([]);
  });

  it('sets in Kubernetes what are settings', () => {
    const documents = parseAllDocuments(read('kubernetes/tandem.yaml')).map(
      (one) => one.toJS() as { kind: string; data?: object; spec?: unknown },
    );
    const known = new Set(SETTINGS.map(({ env }) => env));
    const set = documents.flatMap(({ data }) => Object.keys(data ?? {}));
    const fromSecrets = JSON.stringify(documents).match(/"TANDEM_[A-Z_]+"/g) ?? [];
    const all = [...set, ...fromSecrets.map((one) => one.slice(1, -1))];
    expect(all).toContain('TANDEM_LOCAL_URL');
    expect(all.filter((name) => !known.has(name))).toEqual([]);
    expect(documents.map(({ kind }) => kind)).toContain('StatefulSet');
  });

  it('has a unit for systemd', () => {
    const sections = read('systemd/tandem.service').match(/^\[\w+\]$/gm);
    expect(sections).toEqual(['[Unit]', '[Service]', '[Install]']);
  });
});
