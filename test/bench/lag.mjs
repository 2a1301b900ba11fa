/**
 * How long a change takes to the other site at a steady rate. Some of the writes are messages that carry the time they were
 * sent at; a subscriber at the other site, in the same process and so with the same clock, takes the difference.
 * A process of its own, `node lag.mjs <json>`, so that nothing else delays it; the result is one line of JSON.
 */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const VALUE_BYTES = 100;
const KEY_DIGITS = 12;
const CANARY_EVERY_MS = 2;
/** Not counted: connections and the machine warm up. */
const WARM_UP_MS = 2_000;
/** Commands in one prepared write. */
const MAX_BURST = 1_000;

const { links, rate: wantedRate, seconds, keys, hot } = JSON.parse(process.argv[2]);

/**
 * Writes at `from`, listens at `to`; gives lags in milliseconds, the rate that was really reached, and how many of the writes came
 * out at the other side in the same time: less than were made, if the link does not keep pace.
 */
async function measure({ from, to, name }) {
  const [writer, listener] = [await open(from), await open(to)];
  const lags = [];
  let counting = false;
  listener.on('data', (chunk) => {
    const now = performance.now();
    for (const [, sentAt] of chunk.toString('latin1').matchAll(/@(\d+\.\d+)@/g))
      if (counting) lags.push(now - Number(sentAt));
  });
  // One for each direction: what is published at a site is heard there at once.
  const channel = `bench:canary:${name}`;
  listener.write(`SUBSCRIBE ${channel}\r\n`);
  writer.resume();
  const commands = hot ? new HotCommands(name, hot) : new Commands(name, keys);
  const began = performance.now();
  let sent = 0;
  let sentBefore = 0;
  let canaryAt = 0;
  let canaries = 0;
  for (;;) {
    const elapsed = performance.now() - began;
    if (elapsed > WARM_UP_MS + seconds * 1000) break;
    if (!counting && elapsed > WARM_UP_MS) {
      counting = true;
      sentBefore = sent;
    }
    const due = Math.min(Math.floor((elapsed * wantedRate) / 1000) - sent, MAX_BURST);
    if (due > 0) writer.write(commands.take(due));
    sent += due;
    if (elapsed - canaryAt >= CANARY_EVERY_MS) {
      canaryAt = elapsed;
      if (counting) canaries++;
      const text = `@${performance.now().toFixed(3)}@`;
      writer.write(
        `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${text.length}\r\n${text}\r\n`,
      );
    }
    await delay(1);
  }
  const rate = (sent - sentBefore) / seconds;
  const crossedRate = (rate * lags.length) / canaries;
  await delay(500);
  writer.destroy();
  listener.destroy();
  return { name, lags, rate, crossedRate };
}

/** Prepared SET commands; only the digits of the keys change. */
class Commands {
  #bytes;
  #length;
  #keyAt;
  #keys;

  constructor(name, keyCount) {
    const key = `${name}:${'0'.repeat(KEY_DIGITS)}`;
    const one = `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${VALUE_BYTES}\r\n${'x'.repeat(VALUE_BYTES)}\r\n`;
    this.#length = one.length;
    this.#keyAt = one.indexOf(key) + name.length + 1;
    this.#bytes = Buffer.from(one.repeat(MAX_BURST));
    this.#keys = keyCount;
  }

  take(count) {
    const bytes = Buffer.from(this.#bytes.subarray(0, count * this.#length));
    for (let i = 0; i < count; i++) {
      let number = Math.floor(Math.random() * this.#keys);
      const end = i * this.#length + this.#keyAt + KEY_DIGITS;
      for (let at = end - 1; number > 0; at--) {
        bytes[at] = 48 + (number % 10);
        number = Math.floor(number / 10);
      }
    }
    return bytes;
  }
}

/** Commands on a few keys, the same at both sites, of the kinds that are wanted: a counter, a list, a hash, a set and 50 strings. */
class HotCommands {
  #commands = [];

  constructor(name, kinds) {
    const makers = {
      set: (i) => ['SET', `hot:string:${i}`, `${name}:${i}`],
      incr: () => ['INCR', 'hot:counter'],
      push: (i) => [i % 2 === 0 ? 'LPUSH' : 'RPUSH', 'hot:list', `${name}:${i}`],
      pop: (i) => [i % 2 === 0 ? 'RPOP' : 'LPOP', 'hot:list'],
      hset: (i) => ['HSET', 'hot:hash', `f${i % 10}`, `${name}:${i}`],
      hincrby: (i) => ['HINCRBY', 'hot:hash', `n${i % 10}`, '1'],
      member: (i) => [i % 3 === 0 ? 'SREM' : 'SADD', 'hot:set', `m${i % 20}`],
    };
    for (let i = 0; i < 50; i++) for (const kind of kinds) this.#add(...makers[kind](i));
  }

  #add(...words) {
    const parts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
    this.#commands.push(`*${words.length}\r\n${parts.join('')}`);
  }

  take(count) {
    const all = this.#commands;
    return Array.from({ length: count }, () => all[Math.floor(Math.random() * all.length)]).join('');
  }
}

function open(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket));
  });
}

process.stdout.write(JSON.stringify(await Promise.all(links.map((link) => measure(link)))));
