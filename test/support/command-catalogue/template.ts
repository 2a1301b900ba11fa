/** A command with its arguments, as a client sends it. */
export type Command = readonly (string | Buffer)[];

/** How a sample names its keys: `key()` and `key('other')` belong to this sample alone. */
export type KeyNames = (name?: string) => string;

/** What a sample may say beside its commands. */
export interface SampleDetails {
  /** What is special about it: the option, the state it meets. */
  about?: string;
  /** First versions that have the option, as in the command table; without it those of the command. */
  since?: string;
  /** First versions that put nothing into the replication stream for it, though it succeeds. */
  quietSince?: string;
  /** The database to select before the first step; 0 if absent. */
  database?: number;
  /** Set where it reaches beyond its own keys: a whole database, all functions, the script cache. */
  wide?: boolean;
}

/** A sample before it knows its keys. */
export interface SampleTemplate extends SampleDetails {
  /** The row of the command table it belongs to. */
  name: string;
  /** What prepares the ground, and, last, the command itself. */
  steps: (key: KeyNames) => Command[];
}

/** One sample: the command with its arguments comes last, behind whatever has to be there first. */
export function sample(
  name: string,
  steps: (key: KeyNames) => Command[],
  details: SampleDetails = {},
): SampleTemplate {
  return { name, steps, ...details };
}

/** The same key with bytes at its end that are no text in any encoding. */
export function binary(key: string): Buffer {
  return Buffer.concat([Buffer.from(key), ODD_BYTES]);
}

/** A zero, a line end, what RESP uses itself, and bytes that are not UTF-8. */
export const ODD_BYTES: Buffer = Buffer.from([0x00, 0x0d, 0x0a, 0x24, 0x2a, 0x31, 0xff, 0xfe, 0xc3, 0x28]);

/** `count` distinct names: more than Lua can unpack at once. */
export function many(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `m${index}`);
}

/** A moment that no test will live to see, the first of January 2100. */
export const FAR_SECONDS = '4102444800';
export const FAR_MILLISECONDS = '4102444800000';
