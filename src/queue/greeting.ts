import type { Redis } from 'ioredis';
import { TandemError } from '../errors.js';
import type { KeyNames } from '../redis/keys.js';
import { PeerTrouble, fromPeer } from './peer-trouble.js';

/** `proto-max-bulk-len`, if nobody has changed it. */
export const DEFAULT_MAX_BULK_BYTES = 512 * 1024 * 1024;

/** How often the peer is asked when acknowledgements overtake its answers. */
const MAX_GREETINGS = 10;

interface Greeted {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly pair: string;
  readonly site: string;
  readonly peer: string;
  readonly list: { readonly firstSequence: number };
}

interface Greeting {
  readonly epoch: number;
  readonly received: number;
  readonly maxBulkBytes: number;
}

/**
 * Asks the peer's Redis whose it is, how far it has received this site's changes, and how large an argument it takes. What was sent
 * on a connection that is gone may arrive behind the question, and be acknowledged and taken off the list before the answer is here:
 * then the peer has received more than it says, and is asked again.
 * @throws PeerTrouble PEER_NOT_READY before a process has worked there; WRONG_PAIR when it is another site's
 */
export async function greet(options: Greeted): Promise<Greeting> {
  const { list } = options;
  for (let asked = 1; ; asked++) {
    const known = list.firstSequence - 1;
    const greeting = await ask(options);
    const { received } = greeting;
    const isOvertaken = received >= known && received < list.firstSequence - 1;
    if (!isOvertaken || asked === MAX_GREETINGS) return greeting;
  }
}

async function ask({ client, keys, pair, site, peer }: Greeted): Promise<Greeting> {
  const [receivedFields, siteFields] = await fromPeer(
    client,
    Promise.all([
      client.hmget(keys.received, 'epoch', 'n', 'origin'),
      client.hmget(keys.site, 'pair', 'site', 'largest'),
    ]),
  );
  const [epoch, received, origin] = receivedFields;
  const [itsPair, itsSite, largest] = siteFields;
  if (epoch == null || received == null || itsSite == null) {
    throw new PeerTrouble(
      new TandemError('PEER_NOT_READY', 'no Tandem process has worked at the peer yet', {
        hint: `start Tandem for site ${peer}`,
      }),
    );
  }
  if (itsSite !== peer || itsPair !== pair || origin !== `${pair}/${site}`) {
    throw new PeerTrouble(
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
  };
}
