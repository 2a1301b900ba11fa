import { describe, expect, it } from 'vitest';
import { WorkRate } from '../../../src/cli/bars.js';
import { cut } from '../../../src/cli/screen.js';
import { History, HISTORY, watchLine, watchLines, type Watched } from '../../../src/cli/watch-view.js';
import type { JobView } from '../../../src/jobs/job-view.js';
import { exampleStatus } from '../observe/example-status.js';

const MiB = 2 ** 20;

function watchedOf(changes: Partial<Watched> = {}): Watched {
  const site = exampleStatus();
  return {
    site,
    history: new History(),
    memory: { usedBytes: 80 * MiB, maxmemoryBytes: 100 * MiB },
    bounds: { changesBytes: 512 * MiB, inboxBytes: 4096 },
    jobs: [],
    now: site.at + 500,
    ...changes,
  };
}

describe('the picture', () => {
  it('shows both directions with how they have been, and how full all is', () => {
    const history = new History();
    for (const lagMs of [0, 5, 10]) {
      const site = exampleStatus();
      site.outbound.lagMs = lagMs;
      history.note(site);
    }
    const text = watchLines(watchedOf({ history })).join('\n');
    expect(text).toContain('pair orders, site east  active, up 1 h 2 min');
    expect(text).toMatch(/^east → west {2}streaming$/m);
    expect(text).toMatch(/^ {2}lag +12 ms +▁▅█ +up to 10 ms$/m);
    expect(text).toMatch(/^ {2}changes +1,200\/s +███ +up to 1,200\/s$/m);
    expect(text).toMatch(/^ {2}change list +█░+ {2}64\.0 KiB of 512\.0 MiB \(0 %\)$/m);
    expect(text).toContain('7 not delivered, 567 not applied there');
    expect(text).toMatch(/^ {2}inbox +█{10}░{10} {2}2\.0 KiB of 4\.0 KiB \(50 %\)$/m);
    expect(text).toContain('20 not applied here');
    expect(text).toMatch(/^ {2}memory +█{16}░{4} {2}80\.0 MiB of 100\.0 MiB \(80 %\) of the server$/m);
    expect(text).toMatch(/^ {2}peer +west, tandem 0\.1\.0, heard of 900 ms ago$/m);
    expect(text).toMatch(/^ {2}jobs +2 failed: tandem jobs$/m);
    expect(text).toMatch(/^ready$/m);
  });

  it('shows how far jobs are, how fast, and how much time is left', () => {
    const rate = new WorkRate();
    const { now } = watchedOf();
    rate.after(1000, now - 2000);
    const job = {
      task: 'verify',
      state: 'active',
      progress: { done: 1500, total: 6000 },
    } as unknown as JobView;
    const waits = { task: 'first-copy', state: 'waiting', progress: null } as unknown as JobView;
    const jobs = [
      { job, rate },
      { job: waits, rate: new WorkRate() },
    ];
    const text = watchLines(watchedOf({ jobs })).join('\n');
    expect(text).toMatch(/^ {2}verify +█{5}░{15} {2}1,500 of 6,000 \(25 %\), 250\/s, 18\.0 s left$/m);
    expect(text).toMatch(/^ {2}first-copy +waiting$/m);
  });

  it('says what is wrong, and of when it is when nobody has told since', () => {
    const site = exampleStatus({ gap: true, other: null });
    site.outbound.state = 'backing-off';
    site.outbound.detail = 'the peer is away';
    const text = watchLines(watchedOf({ site, memory: undefined, now: site.at + 9000 })).join('\n');
    for (const part of [
      'as of 9.0 s ago',
      'backing-off: the peer is away',
      'west has not been heard of yet',
      'not told by the server',
      'east to west: backing-off',
      'a gap is open',
    ])
      expect(text).toContain(part);
    expect(text).not.toMatch(/^ready$/m);
  });

  it('keeps to the width of a terminal, and to as much of the past as is shown', () => {
    const history = new History();
    for (let i = 0; i < HISTORY * 3; i++) history.note(exampleStatus());
    expect(history.outbound.lagMs).toHaveLength(HISTORY);
    const wide = watchLines(watchedOf({ history })).filter((line) => line.length > 80);
    expect(wide).toEqual([]);
  });

  it('is cut where a terminal is narrower, colours aside', () => {
    expect(cut('east → west', 6)).toBe('east →');
    expect(cut('\u001B[32mstreaming\u001B[39m', 6)).toBe('\u001B[32mstream\u001B[39m');
    expect(cut('\u001B[32mshort\u001B[39m', 6)).toBe('\u001B[32mshort\u001B[39m');
  });
});

describe('the line for a pipe', () => {
  it('tells both directions, and what a person should know', () => {
    const site = exampleStatus({ gap: true });
    expect(watchLine({ site, now: 1_790_000_000_500 })).toBe(
      '2026-09-21T14:13:20.500Z  east → west streaming, lag unknown, 1,200 changes/s, change list 64.0 KiB  west → east caught-up, lag unknown, 1,200 changes/s, inbox 2.0 KiB  jobs at work 1  a gap is open',
    );
  });
});
