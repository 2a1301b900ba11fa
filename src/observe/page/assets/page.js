/* Keeps the page up to date from the events of the process. */

import { Plots } from './plots.js';
import {
  conflictCounts,
  conflictRows,
  element,
  facts,
  jobRows,
  linkCard,
  rejectedRows,
  troubles,
  warningRows,
} from './views.js';

/** Points of a span that are shown; as many as the process keeps. */
const KEPT = { '15m': 450, '1h': 360, '24h': 360 };
/** The list of conflicts is read again at most so often. */
const CONFLICTS_MS = 2000;

const at = (id) => document.getElementById(id);
const plots = new Plots();
let span = '15m';
let points = [];
let status;
let lists;
let met = -1;
let token = '';

function show() {
  if (!status) return;
  at('pair').textContent = status.pair;
  at('site').textContent = status.site;
  document.title = `Tandem ${status.pair}, ${status.site}`;
  const found = troubles(status);
  const isBad = found.some((one) => one.isBad);
  at('overall').textContent = isBad ? 'needs attention' : found.length > 0 ? 'look below' : 'all is well';
  at('overall').className = `pill ${isBad ? 'bad' : found.length > 0 ? 'warn' : 'good'}`;
  at('banners').replaceChildren(
    ...found.map((one) => element('p', { text: one.text, className: `banner ${one.isBad ? 'bad' : ''}` })),
  );
  const actor = token === '' ? undefined : act;
  for (const direction of ['outbound', 'inbound'])
    at(direction).replaceChildren(...linkCard(status, direction, actor));
  at('facts').replaceChildren(
    ...facts(status).flatMap(([name, value]) => [
      element('dt', { text: name }),
      element('dd', { text: value }),
    ]),
  );
  at('conflict-counts').replaceChildren(conflictCounts(status.conflicts));
}

function showLists() {
  if (!lists) return;
  if (lists.jobs) at('jobs').replaceChildren(...jobRows(lists.jobs));
  if (lists.rejected)
    at('rejected').replaceChildren(...rejectedRows(lists.rejected, token === '' ? undefined : act));
  at('warnings').replaceChildren(...warningRows(lists.warnings));
}

async function act(action) {
  const response = await fetch('page/actions', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify(action),
  });
  if (response.ok) return;
  if (response.status === 401) token = '';
  const { error } = await response.json();
  at('banners').prepend(element('p', { text: error, className: 'banner bad' }));
  at('unlock').hidden = token !== '';
}

async function readHistory() {
  const response = await fetch(`page/history?span=${span}`);
  if (!response.ok) return;
  points = await response.json();
  plots.show(points);
}

async function readConflicts() {
  const response = await fetch(`page/conflicts?pattern=${encodeURIComponent(at('pattern').value)}`);
  if (response.ok) at('conflicts').replaceChildren(...conflictRows(await response.json()));
}

function listen() {
  const events = new EventSource('page/events');
  events.addEventListener('open', () => void readHistory());
  events.addEventListener('hello', ({ data }) => {
    at('unlock').hidden = !JSON.parse(data).canAct || token !== '';
  });
  events.addEventListener('status', ({ data }) => {
    status = JSON.parse(data);
    show();
  });
  events.addEventListener('points', ({ data }) => {
    const added = JSON.parse(data).filter((one) => one.span === span);
    if (added.length === 0) return;
    points = [...points, ...added.map(({ point }) => point)].slice(-KEPT[span]);
    plots.show(points);
  });
  events.addEventListener('lists', ({ data }) => {
    lists = JSON.parse(data);
    showLists();
  });
  events.addEventListener('error', () => {
    at('overall').textContent = 'no answer from the process';
    at('overall').className = 'pill bad';
    // The browser comes back by itself, unless the answer was an error.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

for (const button of at('spans').querySelectorAll('button'))
  button.addEventListener('click', () => {
    span = button.dataset.span;
    for (const other of at('spans').querySelectorAll('button'))
      other.setAttribute('aria-pressed', String(other === button));
    void readHistory();
  });
at('filter').addEventListener('submit', (event) => {
  event.preventDefault();
  void readConflicts();
});
at('unlock').addEventListener('submit', (event) => {
  event.preventDefault();
  token = at('token').value;
  at('token').value = '';
  at('unlock').hidden = true;
  show();
  showLists();
});
setInterval(() => {
  const now = status ? Object.values(status.conflicts).reduce((sum, count) => sum + count, 0) : 0;
  if (status && now !== met) {
    met = now;
    void readConflicts();
  }
}, CONFLICTS_MS);
addEventListener('resize', () => plots.redraw());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plots.redraw());
listen();
