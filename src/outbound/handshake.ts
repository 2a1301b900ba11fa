import type { Redis } from 'ioredis';
import { TandemError } from '../errors.js';
import { runScript } from '../lua/scripts.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { findStrangers } from '../redis/other-pairs.js';
import { PeerError, fromPeer } from './peer-error.js';

/** The default of `proto-max-bulk-len`. */
export const DEFAULT_MAX_BULK_BYTES = 512 * 1024 * 1024;

/** How often the peer is asked when acknowledgements overtake its answers. */
const MAX_GREETINGS = 10;

/** How often it is looked which other pairs have worked at a peer where this one has not. */
const STRANGERS_MS = 60_000;

interface HandshakeOptions {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly pair: string;
  readonly site: string;
  readonly peer: string;
  readonly list: { readonly firstSequence: number };
}

/** The peer's account of itself. */
export interface Handshake {
  readonly epoch: number;
  readonly received: number;
  readonly maxBulkBytes: number;
  /** When a copy of this site's data was taken over there; undefined where it was not. */
  readonly adopted: string | undefined;
  /** Versions of dumps that its `RESTORE` takes; empty when it has not told. */
  readonly restores: string;
  /** Algorithms that its process can unpack. */
  readonly reads: readonly string[];
}

/**
 * Asks the peer's Redis whose it is, how far it has received this site's changes, and how large an argument it takes. A batch from a
 * connection that is gone may arrive behind the question. It may even be acknowledged and off the list before the answer is here. Then
 * the peer has received more than it says, and is asked again.
 * @throws PeerError PEER_NOT_READY before a process has worked there; WRONG_PAIR when it is another site's
 */
export async function shakeHands(options: HandshakeOptions): Promise<Handshake> {
  const { list } = options;
  for (let asked = 1; ; asked++) {
    const known = list.firstSequence - 1;
    const greeting = await ask(options);
    const { received } = greeting;
    const isOvertaken = received >= known && received < list.firstSequence - 1;
    if (!isOvertaken || asked === MAX_GREETINGS) return greeting;
  }
}

async function ask({ client, keys, pair, site, peer }: HandshakeOptions): Promise<Handshake> {
  const [receivedFields, siteFields] = await fromPeer(
    client,
    Promise.all([
      client.hmget(keys.received, 'epoch', 'n', 'origin'),
      client.hmget(keys.site, 'pair', 'site', 'largest', 'restores', 'adopted', 'startedAt', 'reads'),
    ]),
  );
  const [epoch, received, origin] = receivedFields;
  const [itsPair, itsSite, largest, restores, adopted, startedAt, reads] = siteFields;
  if (epoch == null || received == null || itsSite == null) {
    throw new PeerError(
      new TandemError('PEER_NOT_READY', 'no Tandem process has worked at the peer yet', {
        hint: `start Tandem for site ${peer}${await doubtOf({ client, keys, pair })}`,
      }),
    );
  }
  if (itsSite === site && itsPair === pair && origin === `${pair}/${peer}`) {
    throw new PeerError(
      new TandemError('PEER_NOT_READY', `the peer's Redis is that of site ${site} too, or a copy of it`, {
        hint: `if it was brought up from a copy, run tandem adopt for site ${peer} there; else check peerUrl`,
      }),
    );
  }
  if (itsSite !== peer || itsPair !== pair || origin !== `${pair}/${site}`) {
    throw new PeerError(
      new TandemError(
        'WRONG_PAIR',
        `the peer's Redis belongs to site ${itsSite} of pair ${itsPair}, which pairs with ${String(origin)}`,
        {
          hint: `check peerUrl and peer here, and site and peer there: this is ${pair}/${site} and expects ${pair}/${peer}`,
        },
      ),
    );
  }
  return {
    epoch: Number(epoch),
    received: Number(received),
    maxBulkBytes: Number(largest) || DEFAULT_MAX_BULK_BYTES,
    adopted: adopted ?? undefined,
    restores: restores ?? '',
    reads: readsOf(startedAt, reads),
  };
}

/** Other pairs at the servers of peers, and when they were looked for: it takes a walk through all keys. */
const strangersAt = new WeakMap<Redis, { readonly atMs: number; readonly names: readonly string[] }>();

/** Of a pair that nobody knows there, while others have worked there, the name may be misspelt at one of the sites. */
async function doubtOf({
  client,
  keys,
  pair,
}: Pick<HandshakeOptions, 'client' | 'keys' | 'pair'>): Promise<string> {
  let known = strangersAt.get(client);
  if (known === undefined || performance.now() - known.atMs > STRANGERS_MS) {
    const keyPrefix = keys.prefix.slice(0, -`:{${pair}}:`.length);
    const look = async (): Promise<string[] | null> =>
      (await runScript(client, 'may-scan', [], [])) === 1 ? findStrangers(client, { keyPrefix, pair }) : null;
    const names = await look().catch(() => null);
    known = { atMs: performance.now(), names: names ?? [] };
    strangersAt.set(client, known);
  }
  if (known.names.length === 0) return '';
  return `; or is pair misspelt, here (${pair}) or there? The peer's Redis has keys of pair ${known.names.join(', ')}`;
}

/**
 * What the process that works there can unpack. An older one says nothing, and leaves what a newer one has said before it: that names
 * another start.
 */
function readsOf(startedAt: string | null | undefined, told: string | null | undefined): readonly string[] {
  const [start, ...reads] = (told ?? '').split(' ');
  return start !== '' && start === startedAt ? reads : [];
}

/** Whether the process that works at the peer says that it reads something. @throws TandemError when it cannot be asked */
export async function isReadAt(client: Redis, keys: KeyNames, what: string): Promise<boolean> {
  const [startedAt, reads] = await answerOf(client, client.hmget(keys.site, 'startedAt', 'reads'));
  return readsOf(startedAt, reads).includes(what);
}

/** How many values of this site's the peer's server has rejected since the pair began. @throws TandemError when it cannot be asked */
export async function refusedAt(client: Redis, keys: KeyNames): Promise<number> {
  return Number(await answerOf(client, client.hget(keys.site, 'refused'))) || 0;
}

/**
 * Held against what this site knew when it began: what it numbers afterwards may take the place of what it has lost.
 * @param known the epoch of this site, and its newest sequence that the peer can have
 * @throws TandemError EPOCH when the peer has numbers that are still to be given out here
 */
export function judgeReceived(
  { epoch, received }: Pick<Handshake, 'epoch' | 'received'>,
  known: { readonly epoch: number; readonly last: number },
): void {
  if (epoch <= known.epoch && received <= known.last) return;
  throw new TandemError(
    'EPOCH',
    "the peer has received more of this site's changes than this site knows of: its Redis has lost writes",
    { details: { epoch, received } },
  );
}
