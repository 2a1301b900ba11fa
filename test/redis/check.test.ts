import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Config, loadConfig } from '../../src/config/config.js';
import type { Redis } from '../../src/redis/connect.js';
import { keyNames } from '../../src/redis/keys.js';
import { preflight } from '../../src/preflight/preflight.js';
import { PEER_RIGHTS } from '../../src/preflight/needed-calls.js';
import { localAclRule, peerAclRule } from '../../src/preflight/rights.js';
import { type TestServer, startServer } from '../support/server.js';
import { useServer } from '../support/use-server.js';
import { findingsOf, inStep, isOrdinary, troubles, withClients, withUser } from './checking.js';

const keys = keyNames({ prefix: 'tandem', pair: 'orders' });
const { redis: eastRedis, server: east } = useServer({ config: { 'repl-backlog-size': '32mb' } });
const { redis: westRedis, server: west } = useServer();

afterEach(async () => {
  await Promise.all([eastRedis.flushall(), westRedis.flushall()]);
});

function configOf(changes: Record<string, string> = {}): Config {
  const env = {
    TANDEM_PAIR: 'orders',
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: east().url,
    TANDEM_PEER_URL: west().url,
  };
  return loadConfig({ env: { ...env, TANDEM_CONNECT_TIMEOUT_MS: '1000', ...changes } });
}

async function register(redis: Redis, site: string, pair = 'orders'): Promise<void> {
  const own = keyNames({ prefix: 'tandem', pair });
  await redis.hset(own.site, { pair, site, version: '0.1.0', startedAt: '0' });
  await redis.hset(own.state, { pair, site });
}

describe('the check', () => {
  it('finds nothing to fail between two ordinary servers', async () => {
    expect(await troubles(configOf())).toEqual([]);
  });

  it('leaves no trace in either server: no key, no byte in the stream, no replica', async () => {
    const state = async (redis: Redis): Promise<unknown[]> => [
      await redis.dbsize(),
      /master_repl_offset:\d+/.exec(await redis.info())?.[0],
      /connected_slaves:\d+/.exec(await redis.info())?.[0],
    ];
    const before = [await state(eastRedis), await state(westRedis)];
    await findingsOf(configOf());
    expect([await state(eastRedis), await state(westRedis)]).toEqual(before);
  });

  it('passes when both sites are registered under the configured names', async () => {
    await Promise.all([register(eastRedis, 'east'), register(westRedis, 'west')]);
    const findings = await findingsOf(configOf());
    expect(findings.filter(({ name }) => name === 'site').map(({ outcome }) => outcome)).toEqual([
      'pass',
      'pass',
    ]);
  });

  it.each([
    ['west', 'local site fail SAME_SITE'],
    ['north', 'local site fail WRONG_PAIR'],
  ])('fails when the local Redis is that of %s', async (site, trouble) => {
    await register(eastRedis, site);
    expect(await troubles(configOf())).toEqual([trouble]);
  });

  it.each([
    ['east', 'peer site fail SAME_SITE'],
    ['north', 'peer site fail WRONG_PAIR'],
  ])("fails when the peer's Redis is that of %s", async (site, trouble) => {
    await register(westRedis, site);
    expect(await troubles(configOf())).toEqual([trouble]);
  });

  it("fails when the peer's Redis belongs to another pair only", async () => {
    await register(westRedis, 'west', 'sessions');
    expect(await troubles(configOf())).toEqual(['peer site fail WRONG_PAIR']);
  });

  it('warns of another pair at the local Redis', async () => {
    await eastRedis.hset('tandem:{sessions}:state', 'epoch', '1');
    expect(await troubles(configOf())).toEqual(['local other pairs warn']);
  });

  it('fails when two URLs lead to one server', async () => {
    expect(await troubles(configOf({ TANDEM_PEER_URL: `redis://localhost:${east().port}` }))).toEqual([
      'pair two servers fail SAME_SITE',
    ]);
  });

  it.each([
    ['redis://nobody.invalid:6379', 'UNREACHABLE'],
    ['redis://127.0.0.1:1', 'UNREACHABLE'],
  ])('fails when there is nothing at %s, and still looks at the other end', async (url, code) => {
    expect(await troubles(configOf({ TANDEM_PEER_URL: url }))).toEqual([`peer connection fail ${code}`]);
    expect(await troubles(configOf({ TANDEM_LOCAL_URL: url }))).toEqual([`local connection fail ${code}`]);
  });

  it('fails at a wrong password without telling it', async () => {
    await withUser(west(), '+@all', async () => {
      const findings = await findingsOf(
        configOf({ TANDEM_PEER_URL: west().urlFor('tandem', 'open-sesame') }),
      );
      expect(findings.filter(({ outcome }) => outcome === 'fail')).toMatchObject([
        { subject: 'peer', code: 'AUTH_FAILED' },
      ]);
      expect(JSON.stringify(findings)).not.toContain('sesame');
    });
  });

  it('warns of an eviction policy', async () => {
    await eastRedis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await troubles(configOf())).toEqual(['local eviction warn']);
    await eastRedis.config('SET', 'maxmemory-policy', 'noeviction');
  });
});

describe('the rights', () => {
  it('that the local rule grants are enough', async () => {
    await withUser(east(), localAclRule(), async (url) => {
      expect(await troubles(configOf({ TANDEM_LOCAL_URL: url }))).toEqual([]);
    });
  });

  it('that the rule for the peer grants are enough', async () => {
    await register(westRedis, 'west');
    await withUser(west(), peerAclRule(keys), async (url) => {
      expect(await troubles(configOf({ TANDEM_PEER_URL: url }))).toEqual([]);
    });
  });

  it.each([
    'psync',
    'replconf',
    'eval',
    'watch',
    'multi',
    'exec',
    'zadd',
    'xgroup',
    'restore',
    'publish',
    'scan',
  ])('lack %s: it is named', async (command) => {
    await withUser(east(), `${localAclRule()} -${command}`, async (url) => {
      const failures = (await findingsOf(configOf({ TANDEM_LOCAL_URL: url }))).filter(
        ({ outcome }) => outcome === 'fail',
      );
      expect(failures).toMatchObject([
        {
          code: 'NO_PERMISSION',
          message: expect.stringContaining(`the account may not: ${command}`) as string,
          advice: expect.stringContaining('ACL SETUSER') as string,
        },
      ]);
    });
  });

  it.each(PEER_RIGHTS)('at the peer lack %s: it is named', async (command) => {
    await westRedis.hset(keys.received, 'origin', 'orders/east');
    await withUser(west(), `${peerAclRule(keys)} -${command}`, async (url) => {
      const failures = (await findingsOf(configOf({ TANDEM_PEER_URL: url }))).filter(
        ({ outcome }) => outcome === 'fail',
      );
      expect(failures).toMatchObject([
        {
          subject: 'peer',
          code: 'NO_PERMISSION',
          message: expect.stringMatching(new RegExp(`\\b${command}\\b`, 'i')) as string,
        },
      ]);
    });
    expect(await westRedis.hgetall(keys.received)).toEqual({ origin: 'orders/east' });
  });

  it('need not include a command that is not replicated', async () => {
    await withUser(east(), `${localAclRule()} -pfadd`, async (url) => {
      expect(
        await troubles(configOf({ TANDEM_LOCAL_URL: url, TANDEM_FILTERS_COMMANDS_EXCLUDE: 'PFADD' })),
      ).toEqual([]);
    });
  });

  it.each(['zscore', 'evalsha', 'lpos'])('for jobs lack %s: it is a warning', async (command) => {
    await withUser(east(), `${localAclRule()} -${command}`, async (url) => {
      const found = await findingsOf(configOf({ TANDEM_LOCAL_URL: url }));
      expect(found.filter(({ name }) => name === 'jobs')).toMatchObject([
        {
          outcome: 'warn',
          message: `jobs cannot run, and the first copy, comparisons and repairs are jobs: the account may not: ${command}`,
        },
      ]);
      expect(found.filter(({ outcome }) => outcome === 'fail')).toEqual([]);
    });
  });

  it('to some keys and channels only are a warning', async () => {
    await withUser(
      east(),
      `~app:* ~tandem:{orders}:* resetchannels &app:* &tandem:{orders}:* +@all -@admin +psync +replconf +config|get`,
      async (url) => {
        const warnings = (await findingsOf(configOf({ TANDEM_LOCAL_URL: url }))).filter(
          (one) => one.outcome === 'warn' && one.subject === 'local' && !isOrdinary(one),
        );
        expect(warnings).toMatchObject([
          { name: 'reach', message: expect.stringMatching(/keys .* channels/) as string },
        ]);
      },
    );
  });

  it("are named together when the peer's account reaches another pair's keys only", async () => {
    await withUser(west(), peerAclRule(keyNames({ prefix: 'tandem', pair: 'sessions' })), async (url) => {
      const failures = (await findingsOf(configOf({ TANDEM_PEER_URL: url }))).filter(
        ({ outcome }) => outcome === 'fail',
      );
      expect(failures).toMatchObject([
        { code: 'NO_PERMISSION', advice: expect.stringContaining('~tandem:{orders}:in:*') as string },
      ]);
    });
  });

  it('to INFO lacking are a failure of their own', async () => {
    await withUser(west(), `${peerAclRule(keys)} -info`, async (url) => {
      expect(await troubles(configOf({ TANDEM_PEER_URL: url }))).toEqual([
        'peer connection fail NO_PERMISSION',
      ]);
    });
  });
});

describe('replicas', () => {
  let replica: TestServer;
  beforeAll(async () => {
    replica = await startServer({ config: { replicaof: `127.0.0.1 ${east().port}` } });
    await inStep(replica);
  });
  afterAll(() => replica.stop());

  it('are no ends of a pair', async () => {
    const findings = await findingsOf(
      configOf({ TANDEM_PEER_URL: replica.url, TANDEM_LOCAL_URL: west().url }),
    );
    expect(findings.filter(({ outcome }) => outcome === 'fail')).toMatchObject([
      {
        subject: 'peer',
        code: 'NOT_A_PRIMARY',
        message: `a replica of 127.0.0.1:${east().port}`,
        advice: expect.stringContaining('primary') as string,
      },
    ]);
  });

  it('may serve the stream of their primary', async () => {
    const findings = await findingsOf(configOf({ TANDEM_STREAM_URL: replica.url }));
    expect(findings.filter(({ outcome }) => outcome === 'fail')).toEqual([]);
    expect(
      findings
        .filter(({ subject, outcome }) => subject === 'stream' && outcome === 'pass')
        .map(({ name }) => name),
    ).toEqual(expect.arrayContaining(['stream', 'history']));
  });

  it('may not serve the stream of another', async () => {
    const other = await startServer();
    const config = configOf({ TANDEM_LOCAL_URL: other.url, TANDEM_STREAM_URL: replica.url });
    expect((await findingsOf(config)).filter(({ outcome }) => outcome === 'fail')).toMatchObject([
      { subject: 'stream', name: 'history' },
    ]);
    await other.stop();
  });
});

describe('the preflight of a site', () => {
  it('lets it start beside a peer that is away', async () => {
    await expect(
      withClients(configOf({ TANDEM_PEER_URL: 'redis://127.0.0.1:1' }), preflight),
    ).resolves.toBeUndefined();
  });

  it('does not let it start without its own Redis, which may come', async () => {
    await expect(
      withClients(configOf({ TANDEM_LOCAL_URL: 'redis://127.0.0.1:1' }), preflight),
    ).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('local (east): 127.0.0.1:1') as string,
    });
  });

  it('names what a person must change before what passes by itself', async () => {
    await register(westRedis, 'north');
    await expect(
      withClients(configOf({ TANDEM_LOCAL_URL: 'redis://127.0.0.1:1' }), preflight),
    ).rejects.toMatchObject({
      code: 'WRONG_PAIR',
      exitCode: 6,
      hint: expect.stringContaining('mirror') as string,
    });
  });
});

describe('a server in cluster mode', () => {
  it('is refused with a clear message', async () => {
    const cluster = await startServer({ config: { 'cluster-enabled': 'yes' } });
    expect(await troubles(configOf({ TANDEM_PEER_URL: cluster.url }))).toEqual([
      'peer mode fail UNSUPPORTED_MODE',
    ]);
    await cluster.stop();
  });
});
