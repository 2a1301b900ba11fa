/**
 * Which versions of a dump a server's `RESTORE` takes. It is asked, since versions do not tell: Redis and Valkey number theirs apart, and
 * take some of each other's. Each question is a dump of no type with a sound end, of which the server says either that the version
 * is wrong or that the data is: nothing is ever written.
 */

import type { Redis } from 'ioredis';
import { answerOf } from './connect.js';
import { crc64 } from './crc64.js';

/** No server numbers its dumps higher: Redis is at 13, Valkey at 80. */
const MAX_VERSION = 127;
const OF_NO_TYPE = 255;

/** The link to the peer, as far as the form of a value rests on it. */
export interface PeerDumps {
  /** Versions of dumps that the peer's server takes; empty while they are not known. */
  readonly peerRestores: string;
}

/**
 * Numbers with commas around each (`,9,10,`), as the scripts look for one; empty when the server does not say, for want of a right or of
 * the command: then anything may be taken.
 * @param key a name of Tandem's own that no key has
 */
export async function restorableVersions(client: Redis, key: string): Promise<string> {
  const versions = Array.from({ length: MAX_VERSION }, (_, at) => at + 1);
  const pipeline = client.pipeline();
  for (const version of versions) pipeline.call('RESTORE', key, '0', dumpOf(version));
  const replies = (await answerOf(client, pipeline.exec())) ?? [];
  const accepted = versions.filter((_, at) => /bad data format/i.test(String(replies[at]?.[0]?.message)));
  return accepted.length === 0 ? '' : `,${accepted.join(',')},`;
}

/** Whether a server takes a dump, by the versions it has told; what is too short to be one it takes for nothing. */
export function takes(versions: string, dump: Buffer): boolean {
  if (versions === '' || dump.length <= FOOTER_BYTES) return true;
  return versions.includes(`,${dump.readUInt16LE(dump.length - FOOTER_BYTES)},`);
}

/** Two of the version, eight of the checksum. */
const FOOTER_BYTES = 10;

function dumpOf(version: number): Buffer {
  const body = Buffer.from([OF_NO_TYPE, version & 0xff, version >> 8]);
  return Buffer.concat([body, crc64(body)]);
}
