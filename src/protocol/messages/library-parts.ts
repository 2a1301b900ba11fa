/**
 * Function libraries, which are no keys: a server lets no script read them, so the process does, and what it says travels among the
 * changes (`functions.ts`, `libraries.ts`, `library.ts`).
 */

import { createHash } from 'node:crypto';

/** Libraries a site compares and copies. */
export const MAX_LIBRARIES = 10_000;

export const LIBRARY_NAME = /^\w{1,1024}$/;
export const DIGEST = /^[\da-f]{16}$/;
const DIGEST_DIGITS = 16;

/** Which libraries a site has, by name with a digest of the code. */
export type Shelf = ReadonlyMap<string, string>;

export function codeDigest(code: Buffer): string {
  return createHash('sha256').update(code).digest('hex').slice(0, DIGEST_DIGITS);
}
