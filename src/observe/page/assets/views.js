/* What is shown of a status and of the lists. All text goes in as text: names of keys may look like markup. */

export function element(name, { text, className, title } = {}, ...children) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  if (title) made.title = title;
  made.append(...children);
  return made;
}

export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = count;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`;
}

const grouped = (count) => Math.round(count).toLocaleString('en-US');
const time = (ms) => new Date(ms).toLocaleTimeString('en-GB');

const isFlowing = ({ state, stalledSince }) =>
  (state === 'streaming' || state === 'caught-up') && stalledSince === null;

/** Why a status is no good one: the reasons of /readyz, and what is listed below. A pause is somebody's wish, and no error. */
export function troubles({ problems, rejected, role }) {
  const found = problems.map((text) => ({ text, isBad: role === 'active' && !/\bpaused\b/.test(text) }));
  if (rejected > 0)
    found.push({
      text: `${rejected === 1 ? '1 change was' : `${grouped(rejected)} changes were`} rejected: see the list below.`,
      isBad: false,
    });
  return found;
}

function batches(count) {
  return `${grouped(count)} ${count === 1 ? 'batch' : 'batches'}`;
}

/** @param act called with an action; undefined where nothing can be done */
export function linkCard(status, direction, act) {
  const link = status[direction];
  const { lagMs } = status.lags[direction];
  const [from, to] = direction === 'outbound' ? [status.site, status.peer] : [status.peer, status.site];
  const isPaused = link.pausedSince !== null;
  const state = isPaused ? 'paused' : link.state;
  const since = isPaused ? `since ${new Date(link.pausedSince).toLocaleString()}` : undefined;
  const tone = isPaused ? 'warn' : isFlowing(link) ? 'good' : 'bad';
  const waiting =
    direction === 'outbound'
      ? [batches(link.changeListBatches), bytes(link.changeListBytes)]
      : [batches(link.inboxBatches), bytes(link.inboxBytes)];
  const parts = [
    element(
      'h2',
      {},
      element('span', { text: `${from} → ${to}` }),
      element('span', { text: state, className: tone, title: since ?? link.detail }),
    ),
    pairs('numbers', [
      ['lag', lagMs === null ? 'unknown' : duration(lagMs)],
      ['changes a second', grouped(link.changesPerSecond)],
      ['changes', grouped(link.changesTotal)],
      ['waiting', waiting.join(', ')],
    ]),
  ];
  if (act) {
    const button = element('button', { text: isPaused ? 'Go on' : 'Pause' });
    button.addEventListener('click', () => act({ kind: isPaused ? 'resume' : 'pause', direction }));
    parts.push(button);
  }
  return parts;
}

export function facts(status) {
  const skew = status.clockSkewMs;
  return [
    ['version', status.version],
    ['up for', duration(status.uptimeMs)],
    ['memory', bytes(status.memoryBytes)],
    ["peer's clock", skew === null ? 'unknown' : `${skew >= 0 ? '+' : '−'}${duration(Math.abs(skew))}`],
    ['stream', status.capture.state],
    ['commands read', grouped(status.capture.commandsTotal)],
    ['late writes', grouped(status.late)],
    ['gaps', grouped(status.capture.gaps)],
    ['jobs', `${status.jobs.active} at work, ${status.jobs.waiting} waiting, ${status.jobs.failed} failed`],
  ];
}

export function pairs(className, rows) {
  const list = element('dl', { className });
  for (const [name, value] of rows)
    list.append(element('div', {}, element('dt', { text: name }), element('dd', { text: value })));
  return list;
}

export function conflictCounts(counts) {
  const sorted = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
  if (sorted.length === 0) return element('p', { text: 'None since the process began.', className: 'dim' });
  return element('p', {
    className: 'dim',
    text: sorted.map(([kind, count]) => `${kind.replace(':', ' ')} ${grouped(count)}`).join(' · '),
  });
}

export function conflictRows(rows) {
  return table(
    ['when', 'command', 'outcome', 'key', 'theirs', 'own'],
    rows.map((row) => [
      time(row.at),
      row.command,
      row.outcome,
      row.key ?? '(hidden)',
      row.theirs ?? '',
      row.own ?? '',
    ]),
  );
}

/** @param act called with an action; undefined where nothing can be done */
export function rejectedRows({ total, entries }, act) {
  const rows = entries.map((row) => [
    time(row.at),
    row.command ?? '',
    row.error,
    row.key ?? '(hidden)',
    row.tries === 1 ? '1 try' : `${row.tries} tries`,
    act ? actions(row.id, act) : '',
  ]);
  if (total === 0) return [element('caption', { text: 'None.', className: 'dim' })];
  return table(['when', 'command', 'error', 'key', '', ''], rows);
}

function actions(id, act) {
  const made = ['retry', 'drop'].map((kind) => {
    const button = element('button', { text: kind });
    button.addEventListener('click', () => act({ kind, id }));
    return button;
  });
  return element('span', {}, ...made);
}

function table(names, rows) {
  const head = element('tr', {}, ...names.map((name) => element('th', { text: name })));
  const body = rows.map((cells) =>
    element(
      'tr',
      {},
      ...cells.map((cell) =>
        typeof cell === 'string' ? element('td', { text: cell }) : element('td', {}, cell),
      ),
    ),
  );
  return [element('thead', {}, head), element('tbody', {}, ...body)];
}

export function jobRows(jobs) {
  if (jobs.length === 0) return [element('p', { text: 'None.', className: 'dim' })];
  return jobs.map((job) => {
    const { done, total } = job.progress ?? {};
    const isKnown = typeof done === 'number' && typeof total === 'number' && total > 0;
    const isAtWork = isKnown && job.state === 'active';
    const share = isAtWork
      ? `, ${grouped(done)} of ${grouped(total)} (${Math.floor((done / total) * 100)} %)`
      : '';
    const ended = job.endedAt ? `, ended ${time(job.endedAt)}` : '';
    const line = element('p', { text: `${job.task}: ${job.state}${share}${ended}` });
    if (job.failure !== null && job.state === 'failed')
      line.append(element('span', { text: ` ${job.failure}`, className: 'bad' }));
    const parts = [line];
    if (isAtWork) {
      const bar = element('progress');
      bar.max = total;
      bar.value = done;
      parts.push(bar);
    }
    return element('div', { className: 'job' }, ...parts);
  });
}

export function warningRows(warnings) {
  if (warnings.length === 0) return [element('p', { text: 'None.', className: 'dim' })];
  return warnings.map(({ at, level, message, fields }) =>
    element('li', {
      className: level === 'warn' ? 'warn' : 'bad',
      text: `${at} ${message} ${Object.keys(fields).length > 0 ? JSON.stringify(fields) : ''}`,
    }),
  );
}
