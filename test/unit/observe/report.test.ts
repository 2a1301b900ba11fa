import { describe, expect, it } from 'vitest';
import type { Logger } from '../../../src/log/log.js';
import { PeerSilence, reportLines, StallWarnings } from '../../../src/observe/report.js';
import { exampleStatus } from './example-status.js';

describe('the lines of the log about what moved', () => {
  it('are one for each direction at first', () => {
    expect(reportLines(exampleStatus()).map(({ direction }) => direction)).toEqual([
      'east to west',
      'west to east',
    ]);
  });

  it('are none when nothing moved', () => {
    expect(reportLines(exampleStatus(), exampleStatus())).toEqual([]);
  });

  it('are one for the direction that moved, with the number of changes since', () => {
    const now = exampleStatus();
    now.outbound.changesTotal += 7;
    expect(reportLines(now, exampleStatus())).toEqual([
      expect.objectContaining({ direction: 'east to west', changes: 7, changesPerSecond: 1200 }),
    ]);
  });

  it('are one for a direction that changed its state', () => {
    const now = exampleStatus();
    now.inbound.state = 'backing-off';
    now.inbound.detail = 'why';
    expect(reportLines(now, exampleStatus())).toEqual([
      expect.objectContaining({ direction: 'west to east', state: 'backing-off', detail: 'why' }),
    ]);
  });

  it('are one for a direction in which something waits, though nothing moves', () => {
    const now = exampleStatus();
    now.inbound.lagMs += 10_000;
    expect(reportLines(now, exampleStatus())).toEqual([
      expect.objectContaining({ direction: 'west to east', changes: 0, lagMs: 10_000 }),
    ]);
  });

  it('are one for each direction when it is time, though nothing moved', () => {
    const lines = reportLines(exampleStatus(), exampleStatus(), true);
    expect(lines.map(({ changes }) => changes)).toEqual([0, 0]);
  });

  it('say what the peer tells that keeps changes from passing, and nothing of it when they pass', () => {
    const [now, before] = [exampleStatus(), exampleStatus()];
    const link = { state: 'streaming', pausedSince: null, lagMs: 0 } as const;
    now.outbound.lagMs++;
    now.inbound.lagMs++;
    now.other = {
      ...before.other!,
      inbound: { ...link, state: 'stopped' },
      outbound: { ...link, pausedSince: 1 },
      gap: true,
    };
    expect(reportLines(now, before)).toEqual([
      expect.objectContaining({ direction: 'east to west', atPeer: 'stopped', gapAtPeer: true }),
      expect.objectContaining({ direction: 'west to east', atPeer: 'paused', gapAtPeer: true }),
    ]);
    now.other = { ...now.other, inbound: link, outbound: link, gap: false };
    for (const line of reportLines(now, before)) {
      expect(line).not.toHaveProperty('atPeer');
      expect(line).not.toHaveProperty('gapAtPeer');
    }
  });

  it('say since when a direction is paused, and whether a gap is open', () => {
    const now = exampleStatus({ gap: true });
    now.inbound.pausedSince = Date.parse('2026-01-02T03:04:05Z');
    const [out, back] = reportLines(now, exampleStatus({ gap: false }));
    expect(out).toMatchObject({ direction: 'east to west', gap: true });
    expect(back ?? reportLines(now)[1]).toMatchObject({ pausedSince: '2026-01-02T03:04:05.000Z', gap: true });
  });

  it('have no lag where it is not known', () => {
    const lags = reportLines(exampleStatus({ gap: true })).map(({ lagMs }) => lagMs);
    expect(lags).toEqual([null, null]);
    expect(reportLines(exampleStatus()).map(({ lagMs }) => lagMs)).toEqual([12, 0]);
  });

  it('are none of a standby', () => {
    expect(reportLines(exampleStatus({ role: 'standby' }))).toEqual([]);
  });
});

describe('a peer whose process is no longer heard of', () => {
  const HEARD = 1_000_000;

  /** What is told when it is looked at so long after it was heard last. */
  function told(
    looks: readonly (number | { heardAgainMs: number })[],
    changed: Parameters<typeof exampleStatus>[0] = {},
  ): unknown[] {
    const lines: unknown[] = [];
    const log = (level: string) => (fields: object, msg: string) => lines.push({ level, msg, ...fields });
    let now = 0;
    const silence = new PeerSilence({ info: log('info'), warn: log('warn') } as unknown as Logger, () => now);
    for (const look of looks) {
      now += 10_000;
      const [ageMs, againMs] = typeof look === 'number' ? [look, 0] : [look.heardAgainMs, look.heardAgainMs];
      const other = { ...exampleStatus().other!, heardMs: HEARD + againMs };
      silence.look(exampleStatus({ at: HEARD + ageMs, uptimeMs: 3_600_000, other, ...changed }));
    }
    return lines;
  }

  it('is told, once a minute, and when it is heard of again with how long it was silent', () => {
    expect(told([0, 9000, 12_000, 22_000, 32_000, { heardAgainMs: 42_000 }])).toEqual([
      expect.objectContaining({
        level: 'warn',
        msg: "nothing is heard of the peer's process",
        silentMs: 12_000,
        heard: new Date(HEARD).toISOString(),
      }),
      expect.objectContaining({
        level: 'info',
        msg: "the peer's process is heard of again",
        silentMs: 42_000,
      }),
    ]);
    expect(told(Array.from({ length: 13 }, (_, index) => 20_000 + index * 10_000))).toHaveLength(3);
  });

  it('is told of one that was never heard of, when this process has been there for a while', () => {
    expect(told([0], { other: null, uptimeMs: 9000 })).toEqual([]);
    expect(told([0], { other: null, uptimeMs: 11_000 })).toMatchObject([{ heard: null, silentMs: 11_000 }]);
  });

  it('is not told by who stands by, nor by who does not hear its own Redis', () => {
    expect(told([60_000], { role: 'standby' })).toEqual([]);
    const capture = { ...exampleStatus().capture, state: 'backing-off' };
    expect(told([60_000], { capture })).toEqual([]);
  });
});

describe('a direction that stands still', () => {
  it('is told, once a minute, and when it goes on', () => {
    const lines: unknown[] = [];
    const log = (level: string) => (fields: object, msg: string) => lines.push({ level, msg, ...fields });
    let now = 0;
    const warnings = new StallWarnings(
      { info: log('info'), warn: log('warn') } as unknown as Logger,
      () => now,
    );
    const status = exampleStatus();
    for (let look = 0; look < 8; look++) {
      status.outbound.stalledSince = look > 0 && look < 7 ? status.at - 60_000 - look * 10_000 : null;
      warnings.look(status);
      now += 10_000;
    }
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'warn',
        msg: 'changes wait, and none of them is applied',
        direction: 'east to west',
        stalledMs: 70_000,
      }),
      expect.objectContaining({
        level: 'info',
        msg: 'changes that waited are applied again',
        direction: 'east to west',
        lastedMs: 60_000,
      }),
    ]);
  });
});
