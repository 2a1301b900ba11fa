/**
 * The entry of a value that is too large to be digested in one step (`value.part.lua`): its elements are read in parts, and digested here.
 * Of what is no stream it is the same that the script makes of it in one step.
 */

import { createHash, hash } from 'node:crypto';
import { scriptSource } from '../lua/scripts.js';
import { answerOf, type Redis } from '../redis/connect.js';

export interface InParts {
  /** As `digest-keys.lua` makes it. */
  readonly entry: string;
  /** Roughly those of the value. */
  readonly bytes: number;
  /** When the first of its fields ends, in ms since 1970; Infinity when none does. */
  readonly fieldEndsMs: number;
}

export interface PartsOptions {
  /** Whether this server knows expiring fields of a hash. */
  readonly fieldsExpire: boolean;
  /** Whether it is a stream in the order of arrival. */
  readonly arrives: boolean;
  /** Is told of each part that was read, before the next one. */
  readonly onPart: (bytes: number) => Promise<void>;
}

/** Elements and bytes after which a part ends. */
const PART_ELEMENTS = 1000;
const PART_BYTES = 256 * 1024;
const DIGEST_DIGITS = 16;
/** Of what stands in front of an element, at the most. */
const PREFIX_HEADER_BYTES = 12;
/** In place of a half of a digest: nothing is known of it. */
const UNKNOWN_HALF = 'ffffffff';
/** A half of a digest is below it. */
const HALF = Number.parseInt(UNKNOWN_HALF, 16);

interface Look {
  readonly kind: string;
  readonly expiry: string;
  readonly length: number;
  readonly hasDeadlines: boolean;
  /** Of a stream. */
  readonly lastId: string;
  readonly added: string;
  readonly groups: readonly (readonly [name: Buffer, delivered: Buffer])[];
}

/**
 * Digests the value of a key in the selected database. It is that of one place only if the key is watched, and nobody has written it.
 * Undefined when what was read is no whole value: the key has fields that are about to end, or was written.
 */
export async function digestInParts(
  client: Redis,
  key: Buffer,
  options: PartsOptions,
): Promise<InParts | undefined> {
  const { fieldsExpire, arrives } = options;
  const about = [fieldsExpire ? 1 : 0, arrives ? 1 : 0];
  const found = (await answerOf(
    client,
    client.callBuffer('EVAL', scriptSource('look-at-key'), 1, key, ...about),
  )) as Buffer[];
  const [entry, ...rest] = found as [Buffer, ...Buffer[]];
  if (entry.length > 0)
    return { entry: entry.toString('latin1'), bytes: Number(rest[0]), fieldEndsMs: Infinity };
  const value = new LargeValue(client, { ...options, key, look: lookOf(rest) });
  return value.digest();
}

function lookOf([kind, expiry, length, hasDeadlines, lastId, added, ...groups]: Buffer[]): Look {
  return {
    kind: String(kind),
    expiry: String(expiry),
    length: Number(length),
    hasDeadlines: String(hasDeadlines) === '1',
    lastId: String(lastId ?? ''),
    added: String(added ?? ''),
    groups: groups.flatMap((name, at) => (at % 2 === 0 ? [[name, groups[at + 1]!] as const] : [])),
  };
}

class LargeValue {
  readonly #client: Redis;
  readonly #options: PartsOptions & { readonly key: Buffer; readonly look: Look };

  constructor(client: Redis, options: PartsOptions & { readonly key: Buffer; readonly look: Look }) {
    this.#client = client;
    this.#options = options;
  }

  async digest(): Promise<InParts | undefined> {
    const { look, arrives } = this.#options;
    switch (look.kind) {
      case 'string':
        return this.#ordered('s', plain);
      case 'list':
        return this.#ordered('l', prefixed);
      case 'zset':
        return this.#ordered('z', prefixed);
      case 'set':
        return this.#set();
      case 'hash':
        return this.#hash();
      default:
        return arrives ? this.#arrivals() : this.#stream();
    }
  }

  async #ordered(letter: string, joined: (elements: readonly Buffer[]) => Buffer): Promise<InParts> {
    const digest = createHash('sha1');
    let bytes = 0;
    for await (const elements of this.#parts()) {
      const text = joined(elements);
      digest.update(text);
      bytes += text.length;
    }
    return this.#result(letter + digest.digest('hex').slice(0, DIGEST_DIGITS), bytes);
  }

  async #set(): Promise<InParts | undefined> {
    const sum = new Unordered();
    for await (const elements of this.#parts()) for (const one of elements) sum.add(one);
    // A table that shrinks may show an element twice.
    return sum.count === this.#options.look.length ? this.#result(`e${sum.hex}`, sum.bytes) : undefined;
  }

  async #hash(): Promise<InParts | undefined> {
    const [sum, ends] = [new Unordered(), new Unordered()];
    let fieldEndsMs = Infinity;
    for await (const elements of this.#parts())
      for (let at = 0; at < elements.length; at += 3) {
        const [field, value, end] = [elements[at]!, elements[at + 1]!, elements[at + 2]!];
        sum.add(field, value);
        if (end.length === 0) continue;
        ends.add(field, end);
        fieldEndsMs = Math.min(fieldEndsMs, Number(end));
      }
    if (sum.count !== this.#options.look.length) return undefined;
    const both = ends.count === 0 ? sum.hex : shortSha1(Buffer.from(sum.hex + ends.hex));
    return this.#result(`h${both}`, sum.bytes, fieldEndsMs);
  }

  /** Not the times of delivery: the server tells them only of all pending entries at once. */
  async #stream(): Promise<InParts> {
    const { lastId, groups } = this.#options.look;
    const digest = createHash('sha1').update(lastId);
    let bytes = 0;
    const add = async (parts: AsyncIterable<readonly Buffer[]>): Promise<void> => {
      for await (const elements of parts) {
        const text = prefixed(elements);
        digest.update(text);
        bytes += text.length;
      }
      digest.update('.');
    };
    await add(this.#parts());
    for (const [name, delivered] of groups) {
      digest.update(prefixed([name, delivered]));
      await add(this.#parts('pending', name));
    }
    return this.#result(`x${digest.digest('hex').slice(0, DIGEST_DIGITS)}`, bytes);
  }

  async #arrivals(): Promise<InParts> {
    const { added } = this.#options.look;
    let [sum, count, bytes] = [0, 0, 0];
    for await (const elements of this.#parts())
      for (let at = 0; at < elements.length; count++) {
        const fields = Number(elements[at + 1]);
        const text = prefixed(elements.slice(at + 2, at + 2 + fields));
        sum = (sum + hash('sha1', text, 'buffer').readUInt32BE(0)) % HALF;
        bytes += text.length;
        at += 2 + fields;
      }
    const half = (number: number): string => (number % HALF).toString(16).padStart(DIGEST_DIGITS / 2, '0');
    // A server that does not count them tells nothing.
    const halves = [
      added === '' ? UNKNOWN_HALF : half(Number(added)),
      Number(added) === count && added !== '' ? half(sum) : UNKNOWN_HALF,
    ];
    return this.#result(`x${halves.join('')}`, bytes);
  }

  #result(digest: string, bytes: number, fieldEndsMs = Infinity): InParts {
    return { entry: digest + this.#options.look.expiry, bytes, fieldEndsMs };
  }

  async *#parts(kind = this.#options.look.kind, group: Buffer | string = ''): AsyncGenerator<Buffer[]> {
    const { key, look, onPart } = this.#options;
    const source = scriptSource('read-part');
    const limits = [PART_ELEMENTS, PART_BYTES, look.hasDeadlines ? 1 : 0, group];
    for (let from = Buffer.alloc(0); ;) {
      const asked = this.#client.callBuffer('EVAL', source, 1, key, kind, from, ...limits);
      const [next, ...elements] = (await answerOf(this.#client, asked)) as [Buffer, ...Buffer[]];
      yield elements;
      await onPart(elements.reduce((sum, one) => sum + one.length, 0));
      if (next.length === 0) return;
      from = Buffer.from(next);
    }
  }
}

/** Elements in whatever order: their digests are added without carry, which no order changes. */
class Unordered {
  #high = 0;
  #low = 0;
  #text = Buffer.allocUnsafe(1024);
  count = 0;
  bytes = 0;

  add(element: Buffer, value?: Buffer): void {
    const text = value === undefined ? element : this.#pair(element, value);
    const digest = hash('sha1', text, 'buffer');
    this.#high ^= digest.readInt32BE(0);
    this.#low ^= digest.readInt32BE(4);
    this.count++;
    this.bytes += text.length;
  }

  get hex(): string {
    const half = (number: number): string => (number >>> 0).toString(16).padStart(DIGEST_DIGITS / 2, '0');
    return half(this.#high) + half(this.#low);
  }

  #pair(field: Buffer, value: Buffer): Buffer {
    const needed = PREFIX_HEADER_BYTES + field.length + value.length;
    if (this.#text.length < needed) this.#text = Buffer.allocUnsafe(2 * needed);
    let at = this.#text.write(`${field.length}:`, 'latin1');
    at += field.copy(this.#text, at);
    at += value.copy(this.#text, at);
    return this.#text.subarray(0, at);
  }
}

function plain(elements: readonly Buffer[]): Buffer {
  return elements[0] ?? Buffer.alloc(0);
}

/** Elements, each behind its length. */
function prefixed(elements: readonly Buffer[]): Buffer {
  const most = elements.reduce((sum, one) => sum + one.length + PREFIX_HEADER_BYTES, 0);
  const text = Buffer.allocUnsafe(most);
  let at = 0;
  for (const one of elements) {
    at += text.write(`${one.length}:`, at, 'latin1');
    at += one.copy(text, at);
  }
  return text.subarray(0, at);
}

function shortSha1(text: Buffer): string {
  return hash('sha1', text, 'hex').slice(0, DIGEST_DIGITS);
}
