import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { TandemError } from '../errors.js';
import { runScript } from '../lua/scripts.js';
import { answerOf, connectClient, refusalOf, whereOf, type Redis } from '../redis/connect.js';
import { keyNames, type KeyNames } from '../redis/keys.js';
import { removeInternalKeys } from '../redis/internal-keys.js';
import { parseInfo } from '../redis/server-facts.js';
import { newHistory } from '../site/history.js';
import { quietClients } from './clients.js';
import { grouped } from './terminal.js';
import { withLease } from './with-lease.js';

/** How long the process of the other site has to answer, and how often it is looked. */
const ANSWER_MS = 60_000;
const LOOK_MS = 100;
/** A lease that came with the copy ends by itself. */
const LEFT_LEASE_MS = 1000;

/** What the copy says of the moment it was made. */
interface Copy {
  readonly epoch: number;
  readonly next: number;
  readonly applied: number;
  /** Where in the peer's stream the data stands; undefined when the server does not say. */
  readonly offset: number | undefined;
  /** Why the peer cannot be asked for the place. */
  readonly unclear: string | undefined;
  /** Where this server's own stream goes on behind that, if it still has all of it. */
  readonly position: { readonly replid: string; readonly offset: number } | undefined;
}

interface Answer {
  readonly place: number;
  readonly isExact: boolean;
  readonly received: number;
  readonly receivedEpoch: number;
}

/**
 * Takes over a Redis that was brought up from a copy of the peer's: what it holds of Tandem's becomes this site's, at the place in
 * the peer's history that the copy is of. Run again after it was cut off, it begins again. Resolves with 0.
 * @throws TandemError SAME_SITE, WRONG_PAIR, NOT_A_PRIMARY where there is no such copy; FENCED while a process works; TIMEOUT when the
 * peer's process does not answer
 */
export async function adopt(config: Config, { json }: { json: boolean }): Promise<number> {
  const { log, open } = quietClients(config, 'adopt');
  const keys = keyNames({ prefix: config.keyPrefix, pair: config.pair });
  const [local, peer] = [open(config.localUrl), open(config.peerUrl)];
  try {
    await connectClient(local);
    if (await isDone(local, keys, config)) {
      console.log(
        json ? JSON.stringify({ adopted: false }) : `This Redis is that of site ${config.site} already.`,
      );
      return 0;
    }
    await connectClient(peer);
    await expectOrigin({ local, peer, keys, config });
    const waitMs = config.leaseMs + LEFT_LEASE_MS;
    return await withLease(config, { keys, log, waitMs }, (signal, token) =>
      takeOver({ local, keys, config, signal, token, json }),
    );
  } catch (error) {
    throw refusalOf(error, whereOf(local));
  } finally {
    local.disconnect();
    peer.disconnect();
  }
}

/** Whether it is this site's Redis already. @throws TandemError when it is no copy of the peer's */
async function isDone(local: Redis, keys: KeyNames, { site, peer, pair }: Config): Promise<boolean> {
  const [owner] = await answerOf(local, local.hmget(keys.state, 'site'));
  if (owner === site) return true;
  if (owner === peer) return false;
  if (owner == null)
    throw new TandemError('WRONG_PAIR', `nothing of pair ${pair} is in the Redis of localUrl`, {
      hint: `It is no copy of ${peer}'s that was made while Tandem worked there. Start Tandem: keys that are equal at both sites are left as they are.`,
    });
  throw new TandemError(
    'WRONG_PAIR',
    `the Redis of localUrl is a copy of that of site ${owner}, not of ${peer}`,
    {
      hint: 'check peer and localUrl',
    },
  );
}

/** @throws TandemError when the Redis of localUrl is the peer's own, or the copy of another than that of peerUrl */
async function expectOrigin(at: {
  local: Redis;
  peer: Redis;
  keys: KeyNames;
  config: Config;
}): Promise<void> {
  const { local, peer, keys, config } = at;
  const replication = parseInfo(await answerOf(local, local.info('replication')));
  if (replication.get('role') !== 'master')
    throw new TandemError('NOT_A_PRIMARY', `${whereOf(local)} is still a replica`, {
      hint: 'Make it a primary first: REPLICAOF NO ONE.',
    });
  const replid = await answerOf(local, local.hget(keys.state, 'replid'));
  if (replication.get('master_replid') === replid)
    throw new TandemError('SAME_SITE', `${whereOf(local)} is the Redis of site ${config.peer}, and no copy`, {
      hint: 'check localUrl',
    });
  const born = await answerOf(local, local.hget(keys.site, 'born'));
  const [site, itsBorn] = await answerOf(peer, peer.hmget(keys.site, 'site', 'born'));
  if (site !== config.peer || itsBorn !== born)
    throw new TandemError(
      'WRONG_PAIR',
      `${whereOf(local)} is no copy of the Redis of site ${config.peer} at ${whereOf(peer)}`,
      { hint: 'check localUrl and peerUrl' },
    );
}

async function takeOver(work: {
  local: Redis;
  keys: KeyNames;
  config: Config;
  signal: AbortSignal;
  token: number;
  json: boolean;
}): Promise<number> {
  const { local, keys, config, signal, token, json } = work;
  const { pair, site, peer } = config;
  const copy = await read(local, keys);
  // Jobs, pauses and lists are the peer's affair. What the last step needs stays until then.
  const kept = [keys.state, keys.applied, keys.received, keys.site, keys.inbox, keys.changes];
  await removeInternalKeys(local, { prefix: keys.prefix, kept: [...kept, keys.lease, keys.fence], signal });
  const id = randomUUID();
  const { epoch, next, applied } = copy;
  const request = { id, site, of: peer, epoch, next, applied, offset: copy.offset ?? '' };
  await answerOf(local, local.hset(keys.copy, request));
  const answer = await answered(local, keys, { peer, signal });
  const history = newHistory({ epoch: answer.receivedEpoch, next: answer.received + 1 });
  const { replid = '', offset = '' } = copy.position ?? {};
  const cut = copy.position ? '' : `peer ${Date.now()}`;
  const own = [keys.state, keys.applied, keys.received, keys.site, keys.changes, keys.inbox];
  const args = [token, id, pair, site, peer, history.epoch, history.next, replid, offset, Date.now(), cut];
  await runScript(local, 'adopt-copy', [keys.fence, keys.copy, ...own], args);
  const { place, isExact } = answer;
  const isCompared = !isExact || copy.position === undefined;
  if (json) console.log(JSON.stringify({ adopted: true, place, isExact, isCompared }));
  else console.log(told(config, copy, answer).join('\n'));
  return 0;
}

/** What the copy and its server say. */
async function read(local: Redis, keys: KeyNames): Promise<Copy> {
  const [epoch, next, replid] = await answerOf(local, local.hmget(keys.state, 'epoch', 'next', 'replid'));
  const applied = await answerOf(local, local.hget(keys.applied, 'n'));
  const waiting = await answerOf(local, local.llen(keys.inbox));
  const info = parseInfo(await answerOf(local, local.info('replication')));
  const isSameStream = replid != null && replid !== '' && info.get('master_replid2') === replid;
  const offset = isSameStream ? Number(info.get('second_repl_offset')) - 1 : undefined;
  const begins = Number(info.get('repl_backlog_first_byte_offset'));
  const hasAll =
    offset !== undefined &&
    info.get('repl_backlog_active') === '1' &&
    begins <= offset + 1 &&
    offset <= Number(info.get('master_repl_offset'));
  const unclear =
    offset === undefined
      ? "the server does not say where in the other's stream its data stands: it was restarted since, its backlog is gone, or it is older than Redis 7.0"
      : waiting > 0
        ? 'when the copy was made, changes of the site that was here before were waiting there'
        : undefined;
  return {
    epoch: Number(epoch),
    next: Number(next),
    applied: Number(applied ?? 0),
    offset: unclear === undefined ? offset : undefined,
    unclear,
    position: hasAll ? { replid: info.get('master_replid') ?? '', offset } : undefined,
  };
}

/** @throws TandemError TIMEOUT */
async function answered(
  local: Redis,
  keys: KeyNames,
  { peer, signal }: { peer: string; signal: AbortSignal },
): Promise<Answer> {
  const until = performance.now() + ANSWER_MS;
  while (performance.now() < until) {
    signal.throwIfAborted();
    const fields = ['place', 'isExact', 'received', 'receivedEpoch'] as const;
    const found = await answerOf(local, local.hmget(keys.copy, ...fields));
    if (found.every((field) => field !== null)) {
      const [place, isExact, received, receivedEpoch] = found.map(Number) as [number, number, number, number];
      return { place, isExact: isExact === 1, received, receivedEpoch };
    }
    await sleep(LOOK_MS);
  }
  await answerOf(local, local.del(keys.copy));
  throw new TandemError('TIMEOUT', `the process of site ${peer} has not answered`, {
    hint: `Tandem must be running for site ${peer}, with this Redis as its peerUrl and this site as its peer. Then run tandem adopt again.`,
  });
}

function told({ site, peer }: Config, { unclear, position }: Copy, { place, isExact }: Answer): string[] {
  const followed = `What ${peer} has changed up to ${grouped(place)} counts as applied; what follows crosses once.`;
  return [
    `This Redis is that of site ${site} now. ${isExact ? followed : ''}`.trimEnd(),
    ...(isExact
      ? []
      : [
          `It cannot be told which changes of ${peer} the copy has: ${unclear ?? `${peer} no longer has all that followed it`}.`,
          `The sites are compared as soon as both processes run; where they differ, the value of ${peer} stays.`,
        ]),
    ...(position
      ? []
      : [
          `What was written here since the copy was made is not known: it is compared, and the value of ${peer} stays.`,
        ]),
    'Start Tandem here.',
  ];
}
