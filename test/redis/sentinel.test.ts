import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Redis, connectClient } from '../../src/redis/connect.js';
import { untilLost } from '../../src/redis/primary.js';
import { readFacts } from '../../src/redis/server-facts.js';
import { findServer } from '../support/find-server.js';
import { PRIMARY_NAME, Sentinels } from '../support/sentinels.js';
import { useServer } from '../support/use-server.js';
import { until, within } from '../support/wait.js';
import { useTandemClients } from '../support/tandem-clients.js';

const { server: primary } = useServer({ requirepass: 'sesame' });
let sentinels: Sentinels;

beforeAll(async () => {
  sentinels = await Sentinels.reserve({
    count: 1,
    downAfterMs: 60_000,
    requirepass: 'eye',
    serverPassword: 'sesame',
  });
  await sentinels.watch(primary(), 0);
});
afterAll(() => sentinels.close());

const openAt = useTandemClients({ connectTimeoutMs: 500, commandTimeoutMs: 500, backoffMaxMs: 100 });
const open = (url: string): Redis => openAt({ url });

function withPassword(url: string): string {
  return url.replace('sentinel://', 'sentinel://:sesame@');
}

describe.skipIf((await findServer()).kind !== 'program')('a client that asks Sentinels', () => {
  it('is connected to the primary they name, with an account for each', async () => {
    const client = open(withPassword(sentinels.urlOf(PRIMARY_NAME, '?sentinelPassword=eye')));
    await connectClient(client);
    expect(await client.info('server')).toContain(`tcp_port:${primary().port}`);
  });

  it('says what is wrong with the Sentinels', async () => {
    const secret = '?sentinelPassword=eye';
    for (const [url, code, message] of [
      [sentinels.urlOf(PRIMARY_NAME), 'AUTH_FAILED', /no Sentinel lets Tandem in: 127/],
      [sentinels.urlOf(PRIMARY_NAME, '?sentinelPassword=wrong'), 'AUTH_FAILED', /no Sentinel lets/],
      [sentinels.urlOf(PRIMARY_NAME, secret), 'AUTH_FAILED', /asks for a password/],
      [sentinels.urlOf('other', secret), 'CONFIG_INVALID', /knows a primary by the name other/],
      [
        'sentinel://127.0.0.1:1,127.0.0.1:2/shop',
        'UNREACHABLE',
        /no Sentinel names the primary shop: .*127.0.0.1:1 .*127.0.0.1:2 /,
      ],
      [
        `sentinel://127.0.0.1:${primary().port}/shop?sentinelPassword=sesame`,
        'CONFIG_INVALID',
        /is no Sentinel/,
      ],
    ] as const)
      await expect(connectClient(open(url))).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
  });

  it('is told by a plain URL that leads to a Sentinel', async () => {
    const client = open(`redis://:eye@127.0.0.1:${sentinels.ports[0]}`);
    await connectClient(client);
    await expect(readFacts(client, { settings: true })).rejects.toMatchObject({
      code: 'UNSUPPORTED_MODE',
      hint: expect.stringContaining(`sentinel://127.0.0.1:${sentinels.ports[0]}/mymaster`),
    });
  });

  it('refuses a server that they name and that is a replica, and comes to it when it is a primary', async () => {
    const other = primary().client();
    await other.replicaof('127.0.0.1', '1');
    const client = open(withPassword(sentinels.urlOf(PRIMARY_NAME, '?sentinelPassword=eye')));
    await expect(connectClient(client)).rejects.toMatchObject({
      code: 'SERVER_BUSY',
      message: expect.stringContaining('is not a primary, or not yet'),
    });
    await other.replicaof('NO', 'ONE');
    await until('the client to be connected', () => connectClient(client).then(() => true));
  });

  it('notices that its connection is gone', async () => {
    const client = open(withPassword(sentinels.urlOf(PRIMARY_NAME, '?sentinelPassword=eye')));
    await connectClient(client);
    const lost = untilLost(client, new AbortController().signal);
    lost.catch(() => undefined);
    await primary().client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await expect(within('the loss to be noticed', 2000, lost)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await until('the client to be back', () => connectClient(client).then(() => true));
  });
});
