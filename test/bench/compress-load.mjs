/**
 * Writes commands of one kind at a server, at a steady rate or as fast as it takes them: `node compress-load.mjs <json>`. Its end is when all are
 * answered.
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Commands in one write. */
const MAX_BURST = 500;
const SEED = 42;
const WORDS =
  'alpha beta gamma delta order customer total price shipped pending street city country email phone name'.split(
    ' ',
  );

const { port, kind, count, rate } = JSON.parse(process.argv[2]);

let state = SEED;
/** The same numbers in every run. */
function below(limit) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7f_ff_ff_ff;
  return state % limit;
}

const word = () => WORDS[below(WORDS.length)];
const moment = () => new Date(1.7e12 + below(1e9)).toISOString();

/** What applications write: a record, a session, a counter, and what nothing makes smaller. */
const KINDS = {
  json: () => [
    'SET',
    `customer:${below(1e6)}`,
    JSON.stringify({
      id: below(1e9),
      name: `${word()} ${word()}`,
      email: `${word()}${below(1000)}@example.com`,
      active: below(2) === 1,
      created: moment(),
      tags: [word(), word()],
      total: below(1e5) / 100,
    }),
  ],
  session: () => [
    'SET',
    `session:${randomBytes(16).toString('hex')}`,
    JSON.stringify({
      cookie: { originalMaxAge: 86_400_000, expires: moment(), httpOnly: true, path: '/' },
      user: below(1e6),
      csrf: randomBytes(24).toString('base64'),
      cart: Array.from({ length: below(6) }, () => ({
        sku: `SKU-${below(1e5)}`,
        quantity: below(5),
        price: below(1e4) / 100,
      })),
    }),
    'EX',
    '86400',
  ],
  counter: () => ['INCRBY', `visits:${below(10_000)}`, String(1 + below(100))],
  random: () => ['SET', `blob:${below(1e6)}`, randomBytes(200)],
};

function encoded(args) {
  const parts = [Buffer.from(`*${args.length}\r\n`)];
  for (const argument of args) {
    const bytes = Buffer.from(argument);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

const socket = connect({ host: '127.0.0.1', port, noDelay: true });
const replies = { count: 0 };
/** Each answer is one line. */
socket.on('data', (chunk) => {
  for (const byte of chunk) if (byte === 10) replies.count++;
});
const began = performance.now();
for (let sent = 0; sent < count;) {
  const due = rate === 0 ? count : Math.floor(((performance.now() - began) / 1000) * rate);
  const room = rate === 0 ? MAX_BURST * 4 - (sent - replies.count) : MAX_BURST;
  const burst = Math.min(MAX_BURST, count - sent, due - sent, room);
  if (burst > 0) socket.write(Buffer.concat(Array.from({ length: burst }, () => encoded(KINDS[kind]()))));
  sent += Math.max(0, burst);
  await delay(rate === 0 && burst > 0 ? 0 : 1);
}
while (replies.count < count) await delay(1);
socket.destroy();
