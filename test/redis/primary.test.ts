import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../src/config/redis-url.js';
import { AddressLook } from '../../src/redis/address-look.js';
import { type Redis, connectClient } from '../../src/redis/connect.js';
import { connectPrimary, followPrimary, runIdOf, untilLost } from '../../src/redis/primary.js';
import { findServer } from '../support/find-server.js';
import { Proxy } from '../support/proxy.js';
import { Sentinels } from '../support/sentinels.js';
import { type TestServer, startServer } from '../support/server.js';
import { until, within } from '../support/wait.js';
import { useTandemClients } from '../support/tandem-clients.js';

/** Of the looks and what follows them, on a loaded machine. */
const SOON_MS = 15_000;

let [first, second]: TestServer[] = [];
let address: Proxy;
const stop: AbortController[] = [];

beforeEach(async () => {
  [first, second] = [await startServer(), await startServer()];
  address = await Proxy.start({ port: first.port });
});
afterEach(async () => {
  for (const each of stop.splice(0)) each.abort();
  await address.close();
  await Promise.all([first!.stop(), second!.stop()]);
});

const openAt = useTandemClients();

function open(url = address.through(first!.url), backoffMs = 20): Redis {
  return openAt({ url, backoffMinMs: backoffMs, backoffMaxMs: backoffMs });
}

function signal(): AbortSignal {
  const controller = new AbortController();
  stop.push(controller);
  return controller.signal;
}

async function portOf(client: Redis): Promise<number> {
  return Number(/tcp_port:(\d+)/.exec(await client.info('server'))?.[1]);
}

describe('a client of a virtual address', () => {
  it('leaves a server that is a replica, and comes to the primary that the address leads to', async () => {
    const client = open();
    await connectPrimary(client);
    await first!.client().replicaof('127.0.0.1', '1');
    address.lead(second!);
    await expect(connectPrimary(client)).rejects.toMatchObject({ code: 'SERVER_BUSY' });
    await until('the client to be at the primary', () => connectPrimary(client).then(() => true));
    expect(await portOf(client)).toBe(second!.port);
  });

  it('is told, though nothing is sent, that its server has become a replica', async () => {
    const client = open();
    await connectPrimary(client);
    const lost = untilLost(client, signal());
    lost.catch(() => {});
    await first!.client().replicaof('127.0.0.1', '1');
    await expect(within('the loss', SOON_MS, lost)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('says that it is a replica'),
    });
  });

  it('follows its address to another primary, though the one before lives and takes writes', async () => {
    const client = open();
    await connectPrimary(client);
    void followPrimary(client, signal());
    address.lead(second!);
    await until(
      'the client to be at the other primary',
      async () => (await portOf(client)) === second!.port,
      {
        deadlineMs: SOON_MS,
      },
    );
    expect(await first!.client().set('a', '1')).toBe('OK');
  });

  it('stays where it is while its address leads nowhere', async () => {
    const client = open();
    await connectPrimary(client);
    const left: string[] = [];
    void followPrimary(client, signal(), ({ message }) => left.push(message));
    address.lead({ port: 1 });
    // Two looks at the address, with their pauses.
    await sleep(11_500);
    expect(left).toEqual([]);
    expect(await portOf(client)).toBe(first!.port);
  });
});

describe('a look at an address', () => {
  /** Leads to the servers in turn. */
  function leading(ports: (TestServer | undefined)[]): AddressLook {
    const turns = [...ports];
    return new AddressLook(() => ({
      address: parseRedisUrl((turns.shift() ?? first!).url),
      tls: {},
      name: 'tandem:s:look',
      connectTimeoutMs: 1000,
    }));
  }

  it('finds another primary when each connection leads there, and needs more of them after one that led back', async () => {
    const [own, other] = [first!, second!];
    const runId = (await runIdOf(own.client()))!;
    const steady = leading([other, other, other]);
    expect(await steady.leadsElsewhere(runId, signal())).toBe(true);
    const spread = leading([other, other, own, other, other, other, own, ...Array(12).fill(other)]);
    expect(await spread.leadsElsewhere(runId, signal())).toBe(false);
    expect(await spread.leadsElsewhere(runId, signal())).toBe(false);
    expect(await spread.leadsElsewhere(runId, signal())).toBe(true);
  });

  it('does not take a replica for the server to go to', async () => {
    const runId = (await runIdOf(first!.client()))!;
    await second!.client().replicaof('127.0.0.1', '1');
    expect(await leading(Array(3).fill(second)).leadsElsewhere(runId, signal())).toBe(false);
  });
});

describe.skipIf((await findServer()).kind !== 'program')('a client that follows what Sentinels name', () => {
  it('asks them a few times a second while it waits to connect anew', async () => {
    const sentinels = await Sentinels.reserve({ count: 1 });
    try {
      await second!.client().replicaof('127.0.0.1', String(first!.port));
      await sentinels.watch(first!, 1);
      // The pause before the next connection: meanwhile the client's server is one that is named no longer.
      const client = open(sentinels.url, 4000);
      await connectClient(client);
      void followPrimary(client, signal());
      await until('a failover', () => sentinels.fail().then(() => true), { deadlineMs: SOON_MS });
      await sentinels.failedOver(first!);
      const before = await sentinels.asked();
      await sleep(2500);
      expect((await sentinels.asked()) - before).toBeLessThan(150);
    } finally {
      await sentinels.close();
    }
  });
});
