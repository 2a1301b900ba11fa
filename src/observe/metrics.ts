import { CONFLICT_OUTCOMES } from './conflict-outcome.js';
import { SKIP_REASONS } from './skip-reason.js';
import { isFlowing } from './health.js';
import { knownLag } from './lag.js';
import type { LinkStatus, SiteStatus } from './status.js';

interface Sample {
  labels?: Record<string, string>;
  value: number;
}

interface Metric {
  name: string;
  type: 'counter' | 'gauge';
  help: string;
  samples: (status: SiteStatus) => Sample[];
}

/** Every metric. Units stand last in the name, as Prometheus wants them: seconds, bytes, total. */
const METRICS: readonly Metric[] = [
  {
    name: 'tandem_info',
    type: 'gauge',
    help: 'Always 1; the labels say who this is.',
    samples: ({ pair, site, peer, version }) => [{ labels: { pair, site, peer, version }, value: 1 }],
  },
  gauge('tandem_active', 'Whether this process works for its site (1) or stands by (0).', (s) =>
    Number(s.role === 'active'),
  ),
  gauge('tandem_uptime_seconds', 'Time since the process started.', (s) => s.uptimeMs / 1000),
  gauge('tandem_memory_bytes', 'Resident memory of the process.', (s) => s.memoryBytes),
  counter(
    'tandem_log_lines_lost_total',
    'Lines of the log that could not be written.',
    (s) => s.logLinesLost,
  ),
  gauge('tandem_epoch', "The epoch of this site's history.", (s) => s.epoch),
  gauge('tandem_gap', 'Whether a gap is open: changes are missing, and a repair is due.', (s) =>
    Number(s.gap),
  ),

  counter(
    'tandem_changes_captured_total',
    'Changes made at this site and put into its change list.',
    (s) => s.capture.changesTotal,
  ),
  counter(
    'tandem_commands_read_total',
    'Commands read from the replication stream.',
    (s) => s.capture.commandsTotal,
  ),
  counter(
    'tandem_echoes_skipped_total',
    'Applied changes of the peer seen again in the own stream.',
    (s) => s.capture.echoesTotal,
  ),
  {
    name: 'tandem_commands_skipped_total',
    type: 'counter',
    help: 'Commands in the stream that are not replicated, by reason.',
    samples: (s) => byLabel('reason', { ...zeros(SKIP_REASONS), ...s.capture.skippedTotal }),
  },
  counter(
    'tandem_commands_unknown_total',
    'Commands that the command table does not know.',
    (s) => s.capture.unknownTotal,
  ),
  counter(
    'tandem_stream_gaps_total',
    'Gaps met, after which the sites must be compared.',
    (s) => s.capture.gaps,
  ),
  gauge(
    'tandem_stream_offset_bytes',
    'Offset of the replication stream captured up to.',
    (s) => s.capture.offset,
  ),

  perLink(
    'tandem_link_up',
    'gauge',
    'Whether changes pass in this direction: 0 also where some wait and none was applied for a minute.',
    (link) => Number(isFlowing(link)),
  ),
  perLink('tandem_paused', 'gauge', 'Whether a person has paused this direction.', (link) =>
    Number(link.pausedSince !== null),
  ),
  {
    name: 'tandem_link_state',
    type: 'gauge',
    help: 'Always 1; the label says the state of the direction.',
    samples: ({ outbound, inbound }) => [
      { labels: { direction: 'outbound', state: outbound.state }, value: 1 },
      { labels: { direction: 'inbound', state: inbound.state }, value: 1 },
    ],
  },
  {
    name: 'tandem_lag_seconds',
    type: 'gauge',
    help: 'Age of the oldest change on its way that is not applied yet; none where that is not known.',
    samples: (s) =>
      (['outbound', 'inbound'] as const).flatMap((direction) => {
        const { lagMs } = knownLag(s, direction);
        return lagMs === null ? [] : [{ labels: { direction }, value: lagMs / 1000 }];
      }),
  },
  perLink(
    'tandem_changes_total',
    'counter',
    'Changes passed in this direction.',
    (link) => link.changesTotal,
  ),
  perLink(
    'tandem_bytes_total',
    'counter',
    'Bytes of changes passed in this direction, as they cross the link.',
    (link) => link.bytesTotal,
  ),
  perLink(
    'tandem_plain_bytes_total',
    'counter',
    'What those bytes would be without compression.',
    (link) => link.plainBytesTotal,
  ),
  gauge('tandem_held_back', 'Whether wanBytesPerSecond holds changes back.', (s) =>
    Number(s.outbound.isHeldBack),
  ),
  {
    name: 'tandem_round_trip_seconds',
    type: 'gauge',
    help: "Shortest time of an answer of the peer's server in the last minute.",
    samples: ({ outbound: { roundTripMs } }) => (roundTripMs === null ? [] : [{ value: roundTripMs / 1000 }]),
  },
  gauge(
    'tandem_change_list_batches',
    'Batches the peer is not yet known to have applied.',
    (s) => s.outbound.changeListBatches,
  ),
  gauge('tandem_change_list_bytes', 'Bytes of those batches.', (s) => s.outbound.changeListBytes),
  gauge(
    'tandem_change_list_limit_bytes',
    'Bytes at which the change list is dropped, as the memory of the server is now.',
    (s) => s.outbound.changeListLimitBytes,
  ),
  gauge('tandem_inbox_batches', 'Batches delivered and not yet applied.', (s) => s.inbound.inboxBatches),
  gauge('tandem_inbox_bytes', 'Bytes of those batches.', (s) => s.inbound.inboxBytes),
  {
    name: 'tandem_sequence',
    type: 'gauge',
    help: 'How far the numbered changes have come, by position on the way.',
    samples: ({ capture, outbound, inbound }) =>
      byLabel('position', {
        captured: Math.max(0, capture.nextSequence - 1),
        delivered: outbound.deliveredSequence,
        seen_by_peer: outbound.seenByPeer,
        received: inbound.receivedSequence,
        applied: inbound.appliedSequence,
      }),
  },

  {
    name: 'tandem_peer_heard_timestamp_seconds',
    type: 'gauge',
    help: 'When the other site has told last how it is, since 1970.',
    samples: ({ other }) => (other === null ? [] : [{ value: other.heardMs / 1000 }]),
  },
  {
    name: 'tandem_peer_paused',
    type: 'gauge',
    help: 'Whether a person has paused this direction at the other site.',
    samples: ({ other }) =>
      other === null
        ? []
        : [
            { labels: { direction: 'outbound' }, value: Number(other.inbound.pausedSince !== null) },
            { labels: { direction: 'inbound' }, value: Number(other.outbound.pausedSince !== null) },
          ],
  },
  {
    name: 'tandem_peer_gap',
    type: 'gauge',
    help: 'Whether the other site tells that a gap is open there.',
    samples: ({ other }) => (other === null ? [] : [{ value: Number(other.gap) }]),
  },

  {
    name: 'tandem_conflicts_total',
    type: 'counter',
    help: 'Concurrent writes settled, by outcome.',
    samples: (s) => byLabel('outcome', byOutcome(s.conflicts)),
  },
  counter('tandem_rejected_total', 'Changes that could not be applied.', (s) => s.rejected),
  gauge(
    'tandem_rejected_pending',
    'Changes in the list of rejected ones, whenever they came there.',
    (s) => s.rejectedPending,
  ),
  counter(
    'tandem_late_writes_total',
    'Local writes found only after a change of the peer was applied on their key.',
    (s) => s.late,
  ),
  {
    name: 'tandem_jobs',
    type: 'gauge',
    help: 'Jobs in the local Redis, by state.',
    samples: ({ jobs: { faults: _faults, ...states } }) => byLabel('state', states),
  },
  counter(
    'tandem_jobs_faults_total',
    'Times the control plane failed and began again.',
    (s) => s.jobs.faults,
  ),
  {
    name: 'tandem_comparison_timestamp_seconds',
    type: 'gauge',
    help: 'When the last comparison of all keys ended, since 1970.',
    samples: ({ lastComparison: last }) => (last === null ? [] : [{ value: last.at / 1000 }]),
  },
  {
    name: 'tandem_comparison_differing',
    type: 'gauge',
    help: 'Keys that the last comparison of all keys left different.',
    samples: ({ lastComparison: last }) => (last === null ? [] : [{ value: last.differing }]),
  },
  {
    name: 'tandem_clock_skew_seconds',
    type: 'gauge',
    help: "The peer's clock minus this site's.",
    samples: ({ clockSkewMs }) => (clockSkewMs === null ? [] : [{ value: clockSkewMs / 1000 }]),
  },
];

/** The media type of what {@link renderMetrics} returns. */
export const METRICS_MEDIA_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** A status in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). */
export function renderMetrics(status: SiteStatus): string {
  return METRICS.map(({ name, type, help, samples }) => {
    const lines = samples(status).map(({ labels, value }) => `${name}${renderLabels(labels)} ${value}\n`);
    return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
  }).join('');
}

function gauge(name: string, help: string, value: (status: SiteStatus) => number): Metric {
  return { name, type: 'gauge', help, samples: (status) => [{ value: value(status) }] };
}

function counter(name: string, help: string, value: (status: SiteStatus) => number): Metric {
  return { name, type: 'counter', help, samples: (status) => [{ value: value(status) }] };
}

function perLink(
  name: string,
  type: Metric['type'],
  help: string,
  value: (link: LinkStatus) => number,
): Metric {
  return {
    name,
    type,
    help,
    samples: ({ outbound, inbound }) => [
      { labels: { direction: 'outbound' }, value: value(outbound) },
      { labels: { direction: 'inbound' }, value: value(inbound) },
    ],
  };
}

/** A counter that appears with its first event has no rise by it. */
function zeros(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, 0]));
}

/** A kind is a command, a colon and an outcome. */
function byOutcome(conflicts: Record<string, number>): Record<string, number> {
  const counts = zeros(CONFLICT_OUTCOMES);
  for (const [kind, count] of Object.entries(conflicts)) {
    const outcome = kind.slice(kind.lastIndexOf(':') + 1);
    counts[outcome] = (counts[outcome] ?? 0) + count;
  }
  return counts;
}

function byLabel(label: string, counts: Record<string, number>): Sample[] {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function renderLabels(labels: Record<string, string> = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
