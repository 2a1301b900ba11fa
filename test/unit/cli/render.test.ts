import { describe, expect, it } from 'vitest';
import { renderFindings } from '../../../src/cli/check.js';
import { renderStatus } from '../../../src/cli/status.js';
import { exampleStatus } from '../observe/example-status.js';

describe('what tandem status prints', () => {
  const now = exampleStatus().at + 500;

  it('shows both directions, and the sums', () => {
    const text = renderStatus(exampleStatus(), now);
    expect(text).toContain('pair orders, site east  active, up 1 h 2 min, tandem 0.1.0');
    expect(text).toMatch(/east → west {2}streaming\n {2}lag 12 ms, 1,200 changes\/s, 34,567 changes/);
    expect(text).toMatch(
      /4 batches in the change list \(64\.0 KiB of 8\.0 MiB, full in 13 min 52 s without the peer, at this rate\), /,
    );
    expect(text).toMatch(/west → east {2}caught-up\n/);
    expect(text).toContain('west: tandem 0.1.0, heard of 900 ms ago\n');
    expect(text).toContain(
      'conflicts 8 (set:own-stays 5, hset:own-stays 2, set:merged 1), rejected 1 (in the list 3: tandem rejected), late 2, clock skew -250 ms, epoch 2',
    );
    expect(text).toContain(
      "jobs: waiting 3, delayed 1, active 1, failed 2 (tandem jobs says why), the jobs' own failures 4",
    );
  });

  it('says what the last comparison has found', () => {
    expect(renderStatus(exampleStatus(), now)).toContain(
      '\nlast compared 10.5 s ago: 5,000 keys, 7 left different: tandem repair',
    );
    expect(renderStatus(exampleStatus({ lastComparison: null }), now)).not.toContain('compared');
  });

  it('says what the other site has rejected', () => {
    const status = exampleStatus();
    status.other!.rejectedPending = 2;
    expect(renderStatus(status, now)).toContain(
      ', has rejected changes of east in its list, 2: tandem rejected, there\n',
    );
  });

  it('does not take a peer of which nothing is heard for one that has nothing to send', () => {
    const status = exampleStatus();
    status.other!.heardMs = status.at - 38_000;
    const text = renderStatus(status, now);
    expect(text).toMatch(
      /west → east {2}caught-up\n {2}lag unknown: nothing has been heard of west for 38 s, /,
    );
    expect(text).toMatch(/east → west {2}streaming\n {2}lag 12 ms/);
  });

  it('knows no lag behind a gap, nor one of 0 where a direction is paused, and says where one stands still', () => {
    const status = exampleStatus();
    status.other!.outbound.pausedSince = 1;
    status.outbound.stalledSince = status.at - 72_000;
    const text = renderStatus(status, now);
    expect(text).toContain(
      'east → west  streaming: changes wait, and none has been applied for 72 s\n  lag 12 ms, ',
    );
    expect(text).toContain('\n  lag unknown: paused at west, ');
    expect(renderStatus(exampleStatus({ gap: true }), now).match(/lag unknown: a gap is open/g)).toHaveLength(
      2,
    );
  });

  it('says to how much of itself what crossed was compressed, where it was', () => {
    const status = exampleStatus();
    status.inbound.plainBytesTotal = status.inbound.bytesTotal;
    const text = renderStatus(status, now);
    expect(text).toContain('34,567 changes (3.8 MiB, 25 % of 15.3 MiB) since the start');
    expect(text).toContain('34,567 changes (3.8 MiB) since the start');
  });

  it('says when it is old, why a direction stands still, and that a gap is open', () => {
    const status = exampleStatus({ gap: true, conflicts: {}, clockSkewMs: null });
    status.jobs = { waiting: 0, delayed: 0, active: 0, failed: 0, completed: 9, faults: 0 };
    status.outbound.state = 'backing-off';
    status.outbound.detail = 'the peer is away';
    const text = renderStatus(status, status.at + 8000);
    for (const part of [
      '(as of 8.0 s ago)',
      'backing-off: the peer is away',
      'The sites are compared and repaired by themselves',
      'conflicts 0,',
      'clock skew unknown',
    ])
      expect(text).toContain(part);
    expect(text).not.toMatch(/^jobs/m);
  });
});

describe('what tandem check prints', () => {
  const names = { site: 'east', peer: 'west' };

  it('has a line for each finding, advice below it, and a summary', () => {
    const text = renderFindings(
      [
        { subject: 'local', name: 'version', outcome: 'pass', message: 'Redis 7.0.15', advice: 'not shown' },
        { subject: 'local', name: 'backlog', outcome: 'warn', message: 'small', advice: 'make it larger' },
        { subject: 'peer', name: 'role', outcome: 'fail', message: 'a replica', advice: 'use the primary' },
      ],
      names,
    );
    expect(text.split('\n')).toEqual([
      'local (east)',
      '  pass  version  Redis 7.0.15',
      '  warn  backlog  small',
      '                 → make it larger',
      '',
      'peer (west)',
      '  FAIL  role     a replica',
      '                 → use the primary',
      '',
      'Not ready: 1 to put right.',
    ]);
  });

  it('is ready without failures', () => {
    expect(renderFindings([{ subject: 'local', name: 'v', outcome: 'pass', message: '' }], names)).toMatch(
      /\nReady\.$/,
    );
    expect(renderFindings([{ subject: 'local', name: 'v', outcome: 'warn', message: '' }], names)).toMatch(
      /\nReady, with 1 to think about\.$/,
    );
  });
});
