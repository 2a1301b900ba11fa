import type { Redis } from 'ioredis';

type Argument = string | number | Buffer;
type Command = [string, ...Argument[]];

/** What is made of a number: keys of all types, some in another database, some that expire. */
export interface MixedOptions {
  readonly prefix: string;
  readonly count: number;
  /** Begins the values: two sites with different words have different values. */
  readonly word?: string;
  readonly from?: number;
}

/** A database beside the first one that a part of the keys is in. */
const OTHER_DATABASE = 3;
const PIPELINE = 1000;
const HOUR_MS = 3_600_000;
const TYPES = 9;

/** The key with a number, and the database it is in. */
function mixedKey(prefix: string, number: number): { database: number; key: string } {
  return { database: number % 7 === 3 ? OTHER_DATABASE : 0, key: `${prefix}:${number}` };
}

/** What makes the key with this number. */
function mixedCommands(key: string, number: number, word = 'a'): Command[] {
  const made = valueCommands(key, number, word);
  return number % 5 === 0 ? [...made, ['PEXPIREAT', key, 1_900_000_000_000 + number * HOUR_MS]] : made;
}

function valueCommands(key: string, number: number, word: string): Command[] {
  const values = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${word}${number}.${i}`);
  switch (number % TYPES) {
    case 0:
      return [['HSET', key, ...values(8).flatMap((value, i) => [`field${i}`, value])]];
    case 1:
      return [['RPUSH', key, ...values(6)]];
    case 2:
      return [['SADD', key, ...values(5)]];
    case 3:
      return [['ZADD', key, ...values(5).flatMap((value, i) => [i * 1.5, value])]];
    case 4:
      return values(3).map((value, i): Command => ['XADD', key, `${i + 1}-1`, 'field', value]);
    case 5:
      return [['PFADD', key, ...values(20)]];
    case 6:
      return [['SET', key, Buffer.from([0, 255, 13, 10, number % 256, word.charCodeAt(0)])]];
    default:
      return [['SET', key, `${word}${number}`]];
  }
}

/** Writes mixed keys into a server, in order. */
export async function writeMixed(
  client: Redis,
  { prefix, count, word = 'a', from = 0 }: MixedOptions,
): Promise<void> {
  for (const database of [0, OTHER_DATABASE]) {
    const writer = client.duplicate({ db: database });
    try {
      let waiting = writer.pipeline();
      for (let number = from; number < from + count; number++) {
        const place = mixedKey(prefix, number);
        if (place.database !== database) continue;
        for (const [name, ...args] of mixedCommands(place.key, number, word)) waiting.call(name, ...args);
        if (waiting.length < PIPELINE) continue;
        await sent(waiting);
        waiting = writer.pipeline();
      }
      await sent(waiting);
    } finally {
      writer.disconnect();
    }
  }
}

async function sent(pipeline: ReturnType<Redis['pipeline']>): Promise<void> {
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
}
