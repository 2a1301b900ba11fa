/**
 * The least that a pair of processes can do for a change. It goes through the same lists, servers and streams as with Tandem, in batches
 * of the same size, and is applied in a transaction. Nothing is understood, remembered, checked or resolved: the program only knows
 * where a command ends, and which are its own. What it costs is the floor for a replicator of this kind, in Node, on this machine.
 *
 * It takes over what is written from its start on: one database, and no transactions of an application.
 */
import { connect } from 'node:net';

/** Bytes of a batch, as Tandem's, and batches on the way at a time. */
const BATCH_BYTES = 64 * 1024;
const MAX_UNDERWAY = 32;
const ACK_MS = 500;
const LF = 10;
const [CHANGES, INBOX, APPLIED] = ['tandem:changes', 'tandem:inbox', 'tandem:applied'];

/** What {@link look} has found of a command: its name and key, where its second argument begins, and where it ends. */
const seen = { end: 0, name: '', key: '', valueAt: 0 };

class Floor {
  #appending = open(process.env.TANDEM_LOCAL_URL, (data) => this.#appended(data));
  #delivering = open(process.env.TANDEM_PEER_URL, (data) => this.#delivered(data));
  #applying = open(process.env.TANDEM_LOCAL_URL, () => undefined);
  #stream = open(process.env.TANDEM_LOCAL_URL, (data) => this.#read(data));
  /** Captured, and not in a batch yet. */
  #gathered = [];
  #gatheredBytes = 0;
  /** Batches whose `RPUSH` at this server is not answered yet, and how many are on the way altogether. */
  #appendedNext = [];
  #underway = 0;
  #rest = Buffer.alloc(0);
  /** Bytes of the snapshot that are still to come; nothing before it begins. */
  #snapshot;
  #offset = 0;
  #isInTransaction = false;
  #applied = 0;

  run() {
    this.#stream.write(encode('PSYNC', '?', '-1'));
    setInterval(() => this.#stream.write(encode('REPLCONF', 'ACK', this.#offset)), ACK_MS);
  }

  #read(data) {
    const all = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    const bytes = this.#snapshot === 0 ? all : this.#behindSnapshot(all);
    if (this.#snapshot !== 0) {
      this.#rest = bytes;
      return;
    }
    // What is to be sent is one piece of the stream, as long as nothing else stands in between.
    let [from, at] = [0, 0];
    while (look(bytes, at)) {
      if (!this.#isForPeer(bytes)) {
        this.#gather(bytes, from, at);
        from = seen.end;
      }
      at = seen.end;
    }
    this.#gather(bytes, from, at);
    this.#offset += at;
    this.#rest = bytes.subarray(at);
    this.#cut();
  }

  /** What is left of the answer to `PSYNC` behind the snapshot, which nobody wants. */
  #behindSnapshot(bytes) {
    let rest = bytes;
    while (this.#snapshot === undefined) {
      const end = rest.indexOf(LF);
      if (end < 0) return rest;
      const line = rest.toString('latin1', 0, end);
      if (line.startsWith('-')) throw new Error(line);
      if (line.startsWith('$')) this.#snapshot = Number(line.slice(1));
      rest = rest.subarray(end + 1);
    }
    const taken = Math.min(this.#snapshot, rest.length);
    this.#snapshot -= taken;
    return rest.subarray(taken);
  }

  /** Transactions are those in which a batch was applied. Of the own commands outside of them only a batch of the peer's means something. */
  #isForPeer(bytes) {
    const { name, key, end, valueAt } = seen;
    if (this.#isInTransaction || name === 'MULTI') {
      this.#isInTransaction = name !== 'EXEC';
      return false;
    }
    if (key === INBOX && name === 'RPUSH') this.#apply(bytes.subarray(valueAt, end - 2));
    return !(name === 'PING' || name === 'SELECT' || key.startsWith('tandem:'));
  }

  #gather(bytes, from, to) {
    if (to === from) return;
    this.#gathered.push(bytes.subarray(from, to));
    this.#gatheredBytes += to - from;
  }

  #cut() {
    while (this.#gatheredBytes > 0 && this.#underway < MAX_UNDERWAY) {
      // As with Tandem a batch gathers while another one is on the way.
      if (this.#underway > 0 && this.#gatheredBytes < BATCH_BYTES) return;
      const batch = Buffer.concat(this.#gathered);
      [this.#gathered, this.#gatheredBytes] = [[], 0];
      this.#appendedNext.push(batch);
      this.#underway++;
      push(this.#appending, CHANGES, batch);
    }
  }

  #appended(data) {
    for (let left = linesIn(data); left > 0; left--)
      push(this.#delivering, INBOX, this.#appendedNext.shift());
  }

  #delivered(data) {
    const count = linesIn(data);
    this.#applying.write(encode('LTRIM', CHANGES, count, '-1'));
    this.#underway -= count;
    this.#cut();
  }

  #apply(payload) {
    this.#applied++;
    this.#applying.cork();
    this.#applying.write(encode('MULTI'));
    this.#applying.write(payload);
    this.#applying.write(
      encode('SET', APPLIED, this.#applied) + encode('LTRIM', INBOX, '1', '-1') + encode('EXEC'),
    );
    this.#applying.uncork();
  }
}

function open(url, onData) {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  socket.on('data', onData);
  return socket;
}

function push(socket, key, batch) {
  socket.cork();
  socket.write(`*3\r\n$5\r\nRPUSH\r\n$${key.length}\r\n${key}\r\n$${batch.length}\r\n`);
  socket.write(batch);
  socket.write('\r\n');
  socket.uncork();
}

function encode(...words) {
  return `*${words.length}\r\n${words.map((word) => `$${String(word).length}\r\n${word}\r\n`).join('')}`;
}

/** Answers, all of which are numbers. */
function linesIn(data) {
  let count = 0;
  for (const byte of data) if (byte === LF) count++;
  return count;
}

/** Looks at the command that begins at a place. @returns whether the whole of it is there */
function look(bytes, begin) {
  let at = begin;
  /** The number in the line there; less than 0 when the line is not whole. */
  const number = () => {
    let value = 0;
    for (at++; at < bytes.length && bytes[at] !== LF; at++)
      if (bytes[at] >= 48) value = value * 10 + bytes[at] - 48;
    return at++ < bytes.length ? value : -1;
  };
  // A line feed by itself keeps the connection alive.
  while (bytes[at] === LF) at++;
  const count = at < bytes.length ? number() : -1;
  if (count < 0) return false;
  seen.key = '';
  for (let place = 0; place < count; place++) {
    const length = at < bytes.length ? number() : -1;
    if (length < 0 || at + length + 2 > bytes.length) return false;
    if (place === 0) seen.name = bytes.latin1Slice(at, at + length);
    else if (place === 1) seen.key = bytes.latin1Slice(at, at + length);
    else if (place === 2) seen.valueAt = at;
    at += length + 2;
  }
  seen.end = at;
  return true;
}

new Floor().run();
