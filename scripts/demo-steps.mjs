// What the demo shows. Each step says what it does, and throws, or gives false, if what it shows does not hold.
import { OTHER, SITES, until } from './demo-pair.mjs';

/** They end what hangs, and say nothing of how fast anything is: a machine that is busy with other things takes ten times as long. */
const CROSS_MS = 30_000;
const BACK_MS = 60_000;
/** Two writes on their way at once are concurrent, as a rule; what is concurrent by chance is tried so many times. */
const TRIES = 20;
const JOBS = 500;
const WAITING = 1_000;
const SHOWN_LAG_MS = 500;
const POP_SECONDS = 1;
/** As `tandem verify` ends when it cannot tell. */
const NOT_COMPARED = 2;

export const STEPS = [
  { title: 'Writes at one site are there at the other', show: writesCross },
  { title: 'Sums of both sites add up', show: sumsAddUp },
  { title: 'Both sites write one key at the same moment', show: conflictIsListed },
  { title: 'A queue is filled at east and emptied at west', show: queueIsHandedOver },
  { title: "West's Tandem is killed, and comes back", show: siteIsDownAndBack },
  { title: 'Both sites are compared, while they run', show: comparisonFindsNothing },
  { title: 'Each process has a status page', show: pagesAnswer },
];

async function writesCross(pair) {
  const written = [
    ['east', 'SET greeting "good morning"', 'GET greeting'],
    ['west', 'HSET user:1 name Ada city Rome', 'HGETALL user:1'],
    ['west', 'RPUSH tasks one two three', 'LRANGE tasks 0 -1'],
    ['east', 'SADD tags red green', 'SCARD tags'],
    ['east', 'MULTI; SET a 60; SET b 40; EXEC', 'MGET a b'],
    ['west', 'SET session abc EX 3600', 'GET session'],
  ];
  const rows = [];
  for (const [site, text, read] of written) rows.push(await cross(pair, site, text, read));
  table(
    ['written', 'command', 'seen at', 'reads', 'ms'],
    rows.map(({ cells }) => cells),
  );
  return rows.every(({ crossed }) => crossed);
}

/** Writes at one site and reads at the other until both read the same. */
async function cross({ clients }, site, text, read) {
  const commands = text.split('; ').map(words);
  const [here, there] = [clients[site], clients[OTHER[site]]];
  const writtenAt = performance.now();
  for (const [name, ...args] of commands) await here.call(name, ...args);
  const ask = (redis) => redis.call(...words(read));
  const wanted = JSON.stringify(await ask(here));
  let lag = 'not crossed';
  while (performance.now() - writtenAt < CROSS_MS) {
    if (JSON.stringify(await ask(there)) !== wanted) continue;
    lag = (performance.now() - writtenAt).toFixed(1);
    break;
  }
  const reading = [await ask(there)].flat().join(' ');
  return { crossed: lag !== 'not crossed', cells: [site, text, OTHER[site], reading, lag] };
}

async function sumsAddUp({ clients }) {
  say('INCRBY visits 7 at east, INCRBY visits 5 at west, neither waits for the other');
  await Promise.all([clients.east.incrby('visits', 7), clients.west.incrby('visits', 5)]);
  const [east, west] = await sameAtBoth(clients, 'visits', '12');
  say(`→ east reads ${east}, west reads ${west}`);
  return true;
}

async function conflictIsListed(pair) {
  const { clients } = pair;
  const keys = Array.from({ length: TRIES }, (_, n) => (n === 0 ? 'colour' : `colour:${n + 1}`));
  for (const key of keys) {
    await Promise.all([clients.east.set(key, 'blue'), clients.west.set(key, 'green')]);
    const [value] = await sameAtBoth(clients, key);
    const { code, output } = await pair.tandem('west', 'conflicts', '--key', key);
    if (code !== 0 || !output.includes(`"${key}"`)) continue;
    say(`SET ${key} blue at east, SET ${key} green at west`);
    say(`→ the later one stays, at both: ${value}`);
    say('west has it in its list of conflicts, with both values:');
    quote('tandem conflicts', output);
    return true;
  }
  throw new Error(`in ${TRIES} tries no two writes were concurrent`);
}

/** @param wanted a value; without it any will do that both read */
async function sameAtBoth(clients, key, wanted) {
  return until(
    `both sites read the same at ${key}`,
    async () => {
      const values = await Promise.all(SITES.map((site) => clients[site].get(key)));
      return values[0] === values[1] && values[0] === (wanted ?? values[0]) && values;
    },
    CROSS_MS,
  );
}

async function queueIsHandedOver({ clients }) {
  say(`east: LPUSH jobs, ${JOBS} times. west: BRPOP jobs, until ${JOBS} have come`);
  const worker = clients.west.duplicate();
  worker.on('error', () => undefined);
  const done = [];
  const began = performance.now();
  const filled = (async () => {
    for (let n = 0; n < JOBS; n++) await clients.east.lpush('jobs', n);
  })();
  try {
    while (done.length < JOBS && performance.now() - began < BACK_MS) {
      const popped = await worker.brpop('jobs', POP_SECONDS);
      if (popped) done.push(Number(popped[1]));
    }
  } finally {
    worker.disconnect();
  }
  await filled;
  const inOrder = done.length === JOBS && done.every((job, at) => job === at);
  await until(
    'the queue is empty at both sites',
    async () => (await clients.east.exists('jobs')) + (await clients.west.exists('jobs')) === 0,
    CROSS_MS,
  );
  const each = inOrder ? 'each of them once, in order' : 'not each of them once, in order';
  say(`→ west has taken ${done.length}, ${each}; the queue is empty at both`);
  return inOrder;
}

async function siteIsDownAndBack(pair) {
  const { clients } = pair;
  await pair.killSite('west');
  say(`kill -9 of west's process. East writes ${count(WAITING)} orders, west writes a note`);
  const pipeline = clients.east.pipeline();
  for (let n = 1; n <= WAITING; n++) pipeline.set(`order:${n}`, n);
  await pipeline.exec();
  await clients.west.set('note', 'written while nobody was here');
  const lag = await until(
    'east tells that its changes wait',
    async () => {
      const { outbound } = await (await pair.ask('east', '/status')).json();
      return outbound.lagMs > SHOWN_LAG_MS && outbound.lagMs;
    },
    CROSS_MS,
  );
  const early = await ordersAt(clients.west);
  const earlyNote = await clients.east.exists('note');
  say(`→ west reads ${early} orders, east ${earlyNote} notes; east says: lag ${lag} ms, and rising`);
  pair.startSite('west');
  const began = performance.now();
  await until(
    'all orders are at west, and the note is at east',
    async () => (await ordersAt(clients.west)) === WAITING && (await clients.east.exists('note')) === 1,
    BACK_MS,
  );
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(`→ ${seconds} s after its new start west reads ${count(WAITING)} orders, east 1 note`);
  await pair.untilReady();
  return early === 0 && earlyNote === 0;
}

function ordersAt(redis) {
  return redis.exists(...Array.from({ length: WAITING }, (_, n) => `order:${n + 1}`));
}

async function comparisonFindsNothing(pair) {
  // A process that had no turn for seconds, on a machine that is busy with other things, has lost its lease for a moment.
  const { code, output } = await until(
    'the sites can be compared',
    async () => {
      const ended = await pair.tandem('east', 'verify');
      return ended.code !== NOT_COMPARED && ended;
    },
    BACK_MS,
    BACK_MS,
  );
  quote('tandem verify', output);
  say(code === 0 ? '→ it ends with 0: nothing differs' : `→ it ends with ${code}`);
  return code === 0;
}

async function pagesAnswer(pair) {
  const answers = await Promise.all(SITES.map((site) => pair.ask(site, '/')));
  for (const site of SITES) say(`${site}  ${pair.pageOf(site)}`);
  const are = answers.every(({ ok }) => ok);
  say(are ? '→ both answer; /readyz, /metrics and /status are there, too' : '→ they do not answer');
  // Unread bodies would keep their connections.
  await Promise.all(answers.map((answer) => answer.text()));
  return are;
}

function say(line) {
  console.log(`   ${line}`);
}

function quote(command, output) {
  console.log(`   $ ${command}`);
  for (const line of output.split('\n')) console.log(`   │ ${line}`.trimEnd());
}

function table(head, rows) {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => String(row[i]).length)));
  const line = (row) => row.map((cell, i) => String(cell).padEnd(widths[i])).join('  ');
  say(line(head).trimEnd());
  say(widths.map((width) => '─'.repeat(width)).join('  '));
  for (const row of rows) say(line(row).trimEnd());
}

function count(number) {
  return number.toLocaleString('en');
}

/** Splits a command at spaces outside of double quotes. */
function words(text) {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare);
}
