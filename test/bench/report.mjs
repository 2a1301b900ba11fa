/** Medians of the samples, and the tables that show them. */
import { basename, dirname } from 'node:path';

/** Of the measurement of the window: east's process sends, west's is the receiver. */
const WINDOW_PROGRAMS = ['east tandem', 'west tandem', 'west server'];
const COMPRESS_PROGRAMS = ['east tandem', 'west tandem'];
/** Before the peer was away, while it was, when it was back, and at the highest. */
const MOMENTS = ['before', 'away', 'back', 'peak'];
const PROGRAMS = ['benchmark', 'east server', 'east tandem', 'west tandem', 'west server'];

export function summary({ machine, settings, samples }) {
  const throughput = grouped(samples, 'throughput').map((group) => {
    const [{ scenario, title, pipeline, build }] = group;
    const cpu = PROGRAMS.map((name) => [name, median(group.map((one) => one.cpuMicroseconds[name]))]);
    return {
      scenario,
      title,
      pipeline,
      build,
      changesPerSecond: median(group.map((one) => one.changesPerSecond)),
      ofNative: median(group.map((one) => ofNative(one, samples))),
      cpuOfNative: median(group.map((one) => cpuOfNative(one, samples))),
      all: group.map((one) => Math.round(one.changesPerSecond)),
      cpuMicroseconds: Object.fromEntries(cpu.filter(([, value]) => value !== null)),
      ...memoryOf(group),
    };
  });
  const lag = grouped(samples, 'lag').map((group) => {
    const [{ scenario, title, build }] = group;
    const each = group.map(({ lagsMs }) => lagsMs.toSorted((a, b) => a - b));
    const at = (share) => median(each.map((lags) => lags[Math.floor((lags.length - 1) * share)]));
    const lagMs = { p50: at(0.5), p99: at(0.99), max: at(1) };
    const reachedRate = median(group.map((one) => one.reachedRate));
    const crossedRate = median(group.map((one) => one.crossedRate));
    return {
      scenario,
      title,
      build,
      lagMs,
      reachedRate,
      crossedRate,
      samples: each[0].length,
      ...memoryOf(group),
    };
  });
  const window = grouped(samples, 'window').map((group) => {
    const [{ scenario, title, pipeline, build }] = group;
    const of = (field, name) => median(group.map((one) => one[field][name]));
    return {
      scenario,
      title,
      pipeline,
      build,
      changesPerSecond: median(group.map((one) => one.changesPerSecond)),
      all: group.map((one) => Math.round(one.changesPerSecond)),
      cpuMicroseconds: Object.fromEntries(WINDOW_PROGRAMS.map((name) => [name, of('cpuMicroseconds', name)])),
      memoryMb: Object.fromEntries(MOMENTS.map((name) => [name, of('memoryMb', name)])),
    };
  });
  const check = grouped(samples, 'check').map((group) => {
    const [{ scenario, title, build }] = group;
    return { scenario, title, build, nanoseconds: median(group.map((one) => one.nanoseconds)) };
  });
  const jobs = grouped(samples, 'jobs').map((group) => {
    const [{ scenario, title, build }] = group;
    const each = group.map(({ waitedMs }) => waitedMs.toSorted((a, b) => a - b));
    const at = (share) => median(each.map((waited) => waited[Math.floor((waited.length - 1) * share)]));
    return {
      scenario,
      title,
      build,
      jobs: group[0].jobs,
      done: Math.min(...group.map(({ done }) => done)),
      again: Math.max(...group.map(({ again }) => again)),
      waitedMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
      bytesPerJob: group[0].bytes.map((_, server) => median(group.map(({ bytes }) => bytes[server]))),
      ofOneServer: median(group.map((one) => ofOneServer(one, samples))),
      ...memoryOf(group),
    };
  });
  const compress = grouped(samples, 'compress').map((group) => {
    const [{ scenario, title, pipeline, build }] = group;
    const cpu = COMPRESS_PROGRAMS.map((name) => [
      name,
      median(group.map((one) => one.cpuMicroseconds[name])),
    ]);
    return {
      scenario,
      title,
      algorithm: pipeline,
      build,
      bytesPerChange: median(group.map((one) => one.bytesPerChange)),
      ofPlain: median(group.map((one) => ofPlain(one, samples))),
      changesPerSecond: median(group.map((one) => one.changesPerSecond)),
      cpuMicroseconds: Object.fromEntries(cpu),
    };
  });
  return { machine, settings, throughput, lag, window, check, jobs, compress };
}

/** The report as tables. */
export function asText({ machine, settings, throughput, lag, window, check, jobs, compress }) {
  const several = settings.builds.length > 1;
  const lines = [
    '',
    `${machine.server}, Node ${machine.node}, ${machine.cores} × ${machine.cpu}`,
    `${settings.requests} writes per loaded site, medians of ${settings.rounds}`,
  ];
  if (throughput.length > 0) {
    lines.push(
      ...table(
        [
          '',
          'pipeline',
          'changes/s',
          'of native',
          'CPU × native',
          'MB east, west',
          'µs/change: benchmark, east server, east Tandem, west Tandem, west server',
        ],
        throughput.map((row) => [
          titled(row, several),
          row.pipeline,
          Math.round(row.changesPerSecond).toLocaleString('en'),
          row.ofNative?.toFixed(2) ?? '',
          row.cpuOfNative?.toFixed(2) ?? '',
          megabytes(row),
          PROGRAMS.map((name) => row.cpuMicroseconds[name]?.toFixed(2) ?? '–').join('  '),
        ]),
      ),
    );
  }
  if (lag.length > 0) {
    lines.push(
      ...table(
        ['lag', 'changes/s each way', 'crossed/s', 'p50 ms', 'p99 ms', 'max ms', 'MB east, west'],
        lag.map((row) => [
          titled(row, several),
          ...[row.reachedRate, row.crossedRate].map((rate) => Math.round(rate).toLocaleString('en')),
          ...[row.lagMs.p50, row.lagMs.p99, row.lagMs.max].map((ms) => ms.toFixed(1)),
          megabytes(row),
        ]),
      ),
    );
  }
  if (window.length > 0) {
    lines.push(
      ...table(
        [
          'receiver with',
          'pipeline',
          'changes/s',
          'µs/change: east Tandem, west Tandem, west server',
          `west Tandem MB ${MOMENTS.join(', ')}`,
        ],
        window.map((row) => [
          titled(row, several),
          row.pipeline,
          Math.round(row.changesPerSecond).toLocaleString('en'),
          WINDOW_PROGRAMS.map((name) => row.cpuMicroseconds[name]?.toFixed(2) ?? '–').join('  '),
          MOMENTS.map((name) => Math.round(row.memoryMb[name])).join('  '),
        ]),
      ),
    );
  }
  if (check.length > 0) {
    lines.push(
      ...table(
        ['the check alone, with', 'ns/change'],
        check.map((row) => [titled(row, several), Math.round(row.nanoseconds)]),
      ),
    );
  }
  if (jobs.length > 0) {
    lines.push(
      ...table(
        [
          `${settings.jobs} jobs/s on`,
          'jobs',
          'done',
          'again',
          'waited p50 ms',
          'p99 ms',
          'max ms',
          'bytes a job in each stream',
          'of one server',
          'MB east, west',
        ],
        jobs.map((row) => [
          titled(row, several),
          row.jobs,
          row.done,
          row.again,
          ...[row.waitedMs.p50, row.waitedMs.p99, row.waitedMs.max].map((ms) => ms.toFixed(1)),
          row.bytesPerJob.map((bytes) => Math.round(bytes)).join(', '),
          row.ofOneServer?.toFixed(2) ?? '',
          megabytes(row),
        ]),
      ),
    );
  }
  if (compress.length > 0) {
    lines.push(
      ...table(
        ['compress', 'by', 'bytes/change', 'of none', 'changes/s', 'µs/change: east Tandem, west Tandem'],
        compress.map((row) => [
          titled(row, several),
          row.algorithm,
          row.bytesPerChange.toFixed(1),
          row.ofPlain?.toFixed(2) ?? '',
          Math.round(row.changesPerSecond).toLocaleString('en'),
          COMPRESS_PROGRAMS.map((name) => row.cpuMicroseconds[name]?.toFixed(2) ?? '–').join('  '),
        ]),
      ),
    );
  }
  return lines.join('\n');
}

/** The share of the bytes that the same writes take without compression in the same round. */
function ofPlain({ scenario, build, round, bytesPerChange }, samples) {
  const plain = samples.find(
    (one) =>
      one.kind === 'compress' &&
      one.pipeline === 'none' &&
      one.scenario === scenario &&
      one.build === build &&
      one.round === round,
  );
  return plain ? bytesPerChange / plain.bytesPerChange : null;
}

/** How many times the bytes of one server alone the busier of two takes in the same round. */
function ofOneServer({ round, bytes }, samples) {
  const native = samples.find(
    (one) => one.kind === 'jobs' && one.scenario === 'native' && one.round === round,
  );
  return native ? Math.max(...bytes) / native.bytes[0] : null;
}

/** The share of what the native replica reached in the same round: what else the machine does changes from round to round. */
function ofNative({ pipeline, round, changesPerSecond }, samples) {
  const native = nativeOf({ pipeline, round }, samples);
  return native ? changesPerSecond / native.changesPerSecond : null;
}

/** Processor time a change of both servers and both processes, as a multiple of that of the native pair. Noise bends it least. */
function cpuOfNative({ pipeline, round, cpuMicroseconds }, samples) {
  const native = nativeOf({ pipeline, round }, samples);
  return native ? sitesCpu(cpuMicroseconds) / sitesCpu(native.cpuMicroseconds) : null;
}

function sitesCpu(cpuMicroseconds) {
  return Object.entries(cpuMicroseconds).reduce(
    (sum, [name, us]) => sum + (name === 'benchmark' ? 0 : us),
    0,
  );
}

function nativeOf({ pipeline, round }, samples) {
  return samples.find((one) => one.scenario === 'native' && one.pipeline === pipeline && one.round === round);
}

/** Samples of a kind, those that belong together in one list, in the order of their first. */
function grouped(samples, kind) {
  const groups = new Map();
  for (const sample of samples.filter((one) => one.kind === kind)) {
    const name = [sample.pipeline, sample.scenario, sample.build].join();
    groups.set(name, [...(groups.get(name) ?? []), sample]);
  }
  return [...groups.values()];
}

/** Highest resident memory of the two processes. */
function memoryOf(group) {
  if (!group[0].memory) return {};
  const of = (site, field) => median(group.map((one) => one.memory[site][field]));
  return {
    memoryMb: {
      east: { now: of('east', 'nowMb'), peak: of('east', 'peakMb') },
      west: { now: of('west', 'nowMb'), peak: of('west', 'peakMb') },
    },
  };
}

function titled({ title, build }, several) {
  return several && build ? `${title} (${basename(dirname(build))}/${basename(build)})` : title;
}

/** At the end, and the highest. */
function megabytes({ memoryMb }) {
  if (!memoryMb) return '';
  const one = ({ now, peak }) => `${Math.round(now)}–${Math.round(peak)}`;
  return `${one(memoryMb.east)}, ${one(memoryMb.west)}`;
}

function median(values) {
  const known = values.filter((value) => typeof value === 'number').toSorted((a, b) => a - b);
  return known.length === 0 ? null : known[Math.floor((known.length - 1) / 2)];
}

function table(head, rows) {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => String(row[i]).length)));
  const line = (row) =>
    row
      .map((cell, i) => String(cell).padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  return ['', line(head), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)];
}
