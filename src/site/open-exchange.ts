/** What the long work of a site asks, answers and sends with, on connections of its own. */

import { randomBytes } from 'node:crypto';
import type { Pace } from '../async/pace.js';
import type { Config } from '../config/config.js';
import type { Filter } from '../config/filter.js';
import type { Logger } from '../log/log.js';
import { isReadAt } from '../outbound/handshake.js';
import { READS_PARTS } from '../protocol/messages/part.js';
import { openClient, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import type { PeerDumps } from '../redis/restorable.js';
import { Exchange } from '../sync/exchange.js';
import { LargeCopies } from '../sync/large-copies.js';
import { LargeKeys } from '../sync/large-keys.js';
import type { OpenedState } from './history.js';
import { fieldsExpire } from './stage-settings.js';

export interface OpenExchange {
  /** A client of the local server. */
  readonly client: Redis;
  readonly exchange: Exchange;
  readonly large: LargeKeys;
  readonly copies: LargeCopies;
  readonly databases: number;
}

export interface OpenExchangeOptions {
  readonly config: Config;
  readonly keys: KeyNames;
  readonly log: Logger;
  readonly filter: Filter;
  readonly pace: Pace;
  readonly link: PeerDumps;
  /** The client at the peer's Redis. */
  readonly peer: Redis;
  /** Whether the change list is short enough for more. */
  readonly hasRoom: () => boolean;
}

export function openExchange(
  opened: OpenedState,
  { config, keys, log, filter, pace, link, peer, hasRoom }: OpenExchangeOptions,
): OpenExchange {
  const open = (): Redis =>
    openClient({
      url: config.localUrl,
      tls: config.tls,
      name: `tandem:${config.site}:sync`,
      log,
      connectTimeoutMs: config.connectTimeoutMs,
      commandTimeoutMs: config.commandTimeoutMs,
      backoffMinMs: config.backoffMinMs,
      backoffMaxMs: config.backoffMaxMs,
    });
  const { databases } = opened;
  const session = randomBytes(8).toString('hex');
  const about = { out: keys.out, fieldsExpire: fieldsExpire(opened), filter };
  const large = new LargeKeys({ ...about, open, databases, pace });
  const isRead = (): Promise<boolean> => isReadAt(peer, keys, READS_PARTS).catch(() => false);
  const sending = { ...about, site: config.site, session };
  const copies = new LargeCopies({ ...sending, open, pace, hasRoom, isRead });
  const client = open();
  const exchange = new Exchange({ ...sending, client, link, large });
  return { client, exchange, large, copies, databases };
}
