import { OverwrittenSets } from '../../src/local-writes/overwritten-sets.js';
import type { Redis } from 'ioredis';
import { Applier } from '../../src/inbound/applier.js';
import { BatchPlanner } from '../../src/conflicts/plan-batch.js';
import { Rejections } from '../../src/inbound/rejections.js';
import { translateWhole } from '../../src/inbound/whole-databases.js';
import { serverCommands } from '../../src/redis/server-commands.js';
import { type Batch, encodeBatch } from '../../src/protocol/batch.js';
import { HybridClock } from '../../src/protocol/clock.js';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { parseRedisUrl } from '../../src/config/redis-url.js';
import { createLogger } from '../../src/log/log.js';
import { Inbox } from '../../src/inbound/inbox.js';
import { allKeys, keyNames } from '../../src/redis/keys.js';
import { RawConnection } from '../../src/redis/raw-connection.js';
import { planning, TAKES_ALL } from './planning.js';
import type { TestServer } from './server.js';

const PAIR = 'test';
const TOKEN = 7;
const DATABASES = 16;
export const KEYS = keyNames({ prefix: 'tandem', pair: PAIR });

/** An applier at work on a server, with nothing of a site around it: what it is to apply is put into the inbox by hand. */
export interface Applying {
  readonly applier: Applier;
  readonly rejections: Rejections;
  /** Settles when the applier ends by itself. */
  readonly ended: Promise<unknown>;
  gaps: number;
  /** To be set: the stream is not read on. */
  isBehind: boolean;
  stop(): Promise<void>;
}

/** The internal keys of a site that has applied nothing yet. */
export async function prepare(client: Redis): Promise<void> {
  await client.flushall();
  await client.set(KEYS.fence, TOKEN);
  await client.hset(KEYS.applied, { epoch: 1, n: 0 });
  await client.hset(KEYS.received, { epoch: 1, n: 0, bytes: 0, origin: `${PAIR}/west` });
}

/** A batch of west's whose changes are these commands, one each. */
export function batchOf(
  first: number,
  commands: readonly (readonly (string | Buffer)[])[],
  changed: Partial<Batch> = {},
): Buffer {
  const all = [['SELECT', '0'], ...commands];
  return encodeBatch({
    pair: PAIR,
    origin: 'west',
    epoch: 1,
    first,
    changes: commands.length,
    commands: all.length,
    timestamp: 1000,
    seenEpoch: 1,
    seen: 0,
    special: 0,
    groups: [],
    payload: Buffer.concat(all.map((command) => encodeCommand(command))),
    ...changed,
  });
}

export async function deliver(client: Redis, ...batches: Buffer[]): Promise<void> {
  for (const batch of batches) {
    await client.hincrby(KEYS.received, 'bytes', batch.length);
    await client.rpush(KEYS.inbox, batch);
  }
}

export async function startApplying(server: TestServer, client: Redis): Promise<Applying> {
  const stop = new AbortController();
  const log = createLogger({
    pair: PAIR,
    site: 'east',
    logLevel: 'fatal',
    logPretty: 'never',
    logData: false,
  });
  const connection = await RawConnection.open({
    address: parseRedisUrl(server.url),
    name: 'applying',
    connectTimeoutMs: 5000,
    signal: stop.signal,
  });
  const rejections = new Rejections({
    client,
    keys: KEYS,
    token: TOKEN,
    log,
    entries: { isNewSince: () => false },
  });
  const commands = await serverCommands(client);
  const planner = new BatchPlanner(
    planning(KEYS, commands, {
      conflictsKept: 100,
      conflictValueBytes: 100,
      translator: {
        ...TAKES_ALL,
        translate: (command) => translateWhole(command, allKeys(KEYS), DATABASES),
      },
      rejections,
    }),
  );
  const applied = { epoch: 1, sequence: 0 };
  const applying: Applying = {
    applier: new Applier({
      connection,
      keys: KEYS,
      token: TOKEN,
      applied,
      inbox: new Inbox({ client, keys: KEYS, pair: PAIR, peer: 'west', applied, token: TOKEN, log }),
      planner,
      rejections,
      barriers: { wait: () => Promise.resolve() },
      clock: new HybridClock(0),
      plausibility: { observe: () => {} },
      log,
      backoffMinMs: 20,
      backoffMaxMs: 50,
      pauses: { since: () => undefined },
      late: {
        get isFull() {
          return applying.isBehind;
        },
        sets: { overwritten: new OverwrittenSets({ raise: () => {} }) },
      },
      events: { gap: () => applying.gaps++ },
      onApplied: () => {},
    }),
    rejections,
    get ended() {
      return ended;
    },
    gaps: 0,
    isBehind: false,
    stop: async () => {
      stop.abort();
      connection.close();
      await ended;
    },
  };
  const ended = applying.applier.run(stop.signal).catch((error: unknown) => error);
  return applying;
}
