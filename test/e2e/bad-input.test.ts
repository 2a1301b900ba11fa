import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { peerAclRule } from '../../src/preflight/rights.js';
import { keyNames } from '../../src/redis/keys.js';
import { type TestServer, startServer } from '../support/server.js';
import { TandemProcess } from '../support/tandem-process.js';
import { until } from '../support/wait.js';
import { runCli } from './run-cli.js';

/** What a mistaken `tandem run` ends with: the exit code of the documents' table, and one line that names the mistake. */
let east: TestServer;
let west: TestServer;
const processes: TandemProcess[] = [];

beforeAll(async () => {
  [east, west] = await Promise.all([startServer(), startServer()]);
});
afterEach(async () => {
  for (const site of processes.splice(0)) await site.close();
  for (const server of [east, west]) {
    const redis = server.client();
    await redis.flushall();
    await redis.call('ACL', 'DELUSER', 'tandem');
    redis.disconnect();
  }
});
afterAll(() => Promise.all([east.stop(), west.stop()]));

function envOf(changes: Record<string, string> = {}): Record<string, string> {
  return {
    TANDEM_PAIR: 'orders',
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: east.url,
    TANDEM_PEER_URL: west.url,
    ...changes,
  };
}

function mirrored(changes: Record<string, string> = {}): Record<string, string> {
  return envOf({
    TANDEM_SITE: 'west',
    TANDEM_PEER: 'east',
    TANDEM_LOCAL_URL: west.url,
    TANDEM_PEER_URL: east.url,
    ...changes,
  });
}

function start(name: string, env: Record<string, string>): TandemProcess {
  const site = new TandemProcess(name, env);
  processes.push(site);
  site.start();
  return site;
}

/** Runs a site that must end by itself. */
async function ending(
  env: Record<string, string>,
): Promise<{ code: number | null; line: string; hint: string; all: string }> {
  const site = start('mistaken', env);
  const { code } = await site.ended(15_000);
  const fatal = site.log.findLast(({ level }) => level === 'fatal');
  return {
    code,
    line: fatal?.msg ?? '',
    hint: JSON.stringify(fatal?.['hint'] ?? ''),
    all: JSON.stringify(site.log),
  };
}

async function allow(server: TestServer, rule: string): Promise<string> {
  const redis = server.client();
  await redis.call('ACL', 'SETUSER', 'tandem', 'reset', 'on', '>sesame', ...rule.split(' '));
  redis.disconnect();
  return server.urlFor('tandem', 'sesame');
}

describe('a site that cannot run ends and says why:', () => {
  it('a wrong password at its own Redis', async () => {
    const { code, line, hint, all } = await ending(
      envOf({ TANDEM_LOCAL_URL: east.urlFor('tandem', 'open-sesame') }),
    );
    expect(code).toBe(4);
    expect(line).toMatch(new RegExp(`127.0.0.1:${east.port} refuses the user name or the password`));
    expect(hint).toContain('password');
    expect(all).not.toContain('sesame');
  });

  it('no password where one is asked for', async () => {
    const closed = await startServer({ requirepass: 'sesame' });
    const { code, line, hint } = await ending(
      envOf({ TANDEM_LOCAL_URL: `redis://127.0.0.1:${closed.port}` }),
    );
    await closed.stop();
    expect(code).toBe(4);
    expect(line).toContain(`127.0.0.1:${closed.port} asks for a password, and the URL has none`);
    expect(hint).toContain('redis://user:password@host:6379');
  });

  it.each(['LOCAL', 'PEER'])(
    'a password where none is asked for, at the %s URL: nothing is printed beside the log',
    async (end) => {
      const server = end === 'LOCAL' ? east : west;
      const env = envOf({ [`TANDEM_${end}_URL`]: `redis://:sesame@127.0.0.1:${server.port}` });
      const { code, line, hint, all } = await ending(env);
      expect(code).toBe(4);
      expect(line).toContain(`127.0.0.1:${server.port} has no password, and the URL has one`);
      expect(hint).toContain('take it out of the URL');
      expect(all).not.toMatch(/sesame|"level":"text"/);
      expect(await keysAt(east, west)).toBe(0);
      expect(await runCli(['check'], env)).toMatchObject({ code: 1, stderr: '' });
    },
  );

  it.each(['LOCAL', 'PEER'])('TLS to a port without, at the %s URL', async (end) => {
    const server = end === 'LOCAL' ? east : west;
    const url = `rediss://127.0.0.1:${server.port}`;
    const { code, line, hint } = await ending(envOf({ [`TANDEM_${end}_URL`]: url }));
    expect(code).toBe(4);
    expect(line).toContain(`127.0.0.1:${server.port} does not speak TLS, and the URL asks for it`);
    expect(hint).toContain('redis:// instead of rediss://');
    expect(await keysAt(east, west)).toBe(0);
  });

  it.each([
    ['PSYNC', 7, 'does not offer its replication stream: it does not know PSYNC', 'LOCAL'],
    ['EVAL', 5, 'the server does not know: eval', 'LOCAL'],
    ['EVAL', 5, 'the server does not know: eval', 'PEER'],
  ])('a server without %s', async (name, exitCode, message, end) => {
    const lacking = await startServer({ args: ['--rename-command', name, ''] });
    const { code, line, hint } = await ending(envOf({ [`TANDEM_${end}_URL`]: lacking.url }));
    expect(code).toBe(exitCode);
    expect(line).toContain(message);
    expect(line).not.toContain('rpush');
    expect(hint).toContain('No right helps');
    expect(await keysAt(lacking, east, west)).toBe(0);
    await lacking.stop();
  });

  it("a wrong password at the peer's", async () => {
    const { code, line } = await ending(envOf({ TANDEM_PEER_URL: west.urlFor('tandem', 'open-sesame') }));
    expect(code).toBe(4);
    expect(line).toContain(`peer (west): 127.0.0.1:${west.port} refuses`);
  });

  it("a replica's URL", async () => {
    const replica = await startServer({ config: { replicaof: `127.0.0.1 ${east.port}` } });
    const { code, line, hint } = await ending(envOf({ TANDEM_LOCAL_URL: replica.url }));
    await replica.stop();
    expect(code).toBe(5);
    expect(line).toContain(`local (east): a replica of 127.0.0.1:${east.port}`);
    expect(hint).toContain('Give the URL of the primary');
  });

  it('one Redis for both sites', async () => {
    const { code, line } = await ending(envOf({ TANDEM_PEER_URL: `redis://localhost:${east.port}` }));
    expect(code).toBe(6);
    expect(line).toContain('one and the same server');
  });

  it('one name for both sites', async () => {
    const other = start('west', mirrored({ TANDEM_SITE: 'east', TANDEM_PEER: 'west' }));
    await until('west to have registered itself', () => registered(west, 'east'));
    const { code, line } = await ending(envOf());
    expect(code).toBe(6);
    expect(line).toContain('registered as site east');
    await other.close();
  });

  it('the Redis of the other site for its own', async () => {
    const other = start('west', mirrored());
    await until('west to have registered itself', () => registered(west, 'west'));
    await other.close();
    const { code, line } = await ending(envOf({ TANDEM_LOCAL_URL: west.url, TANDEM_PEER_URL: east.url }));
    expect(code).toBe(6);
    expect(line).toContain('this Redis is that of site west');
  });

  it('rights that its account lacks at the peer, all in one line, with the rule that grants them', async () => {
    const keys = keyNames({ prefix: 'tandem', pair: 'orders' });
    const { code, line, hint, all } = await ending(
      envOf({ TANDEM_PEER_URL: await allow(west, `${peerAclRule(keys)} -eval -hset`) }),
    );
    expect(code).toBe(4);
    expect(line).toMatch(/peer \(west\): the account may not: eval.*hset/);
    expect(hint).toContain('ACL SETUSER');
    expect(all).not.toContain('sesame');
  });

  it('no right to the replication stream', async () => {
    const { code, line } = await ending(envOf({ TANDEM_LOCAL_URL: await allow(east, '~* &* +@all -psync') }));
    expect(code).toBe(4);
    expect(line).toContain('local (east): the account may not: psync');
  });

  it('an unknown variable, before anything is connected to', async () => {
    const { code, stdout, stderr } = await runCli(['run'], envOf({ TANDEM_PEER_ULR: west.url }));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('TANDEM_PEER_ULR: no such environment variable; did you mean TANDEM_PEER_URL?');
  });

  it('a taken HTTP port', async () => {
    const { code, line } = await ending(envOf({ TANDEM_HTTP_PORT: String(east.port) }));
    expect(code).toBe(2);
    expect(line).toContain('EADDRINUSE');
  });
});

describe('a site that may yet run waits and says for what:', () => {
  it('its own Redis at a host that does not exist', async () => {
    const site = start('east', envOf({ TANDEM_LOCAL_URL: 'redis://nobody.invalid:6379' }));
    const line = await site.waitForLog(
      ({ level, ...fields }) => level !== 'debug' && JSON.stringify(fields).includes('nobody.invalid:6379'),
    );
    expect(JSON.stringify(line)).toContain('no such host');
    expect(await site.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it("the peer's Redis, until it is there", async () => {
    const late = await startServer();
    await late.halt();
    const site = start('east', envOf({ TANDEM_PEER_URL: late.url }));
    await site.waitForLog((line) =>
      JSON.stringify(line).includes(`127.0.0.1:${late.port} refuses the connection`),
    );
    expect(site.running).toBe(true);
    await site.close();
    await late.stop();
  });

  it('a peer of another pair', async () => {
    const stranger = start('stranger', mirrored({ TANDEM_PAIR: 'sessions' }));
    const site = start('east', envOf());
    const line = await site.waitForLog(
      (entry) => entry.level === 'warn' && JSON.stringify(entry).includes('no process of pair orders'),
    );
    expect(String(line['advice'])).toContain('compare pair');
    await until('west to have registered itself', () => registered(west, 'west', 'sessions'));
    const check = await runCli(['check'], envOf());
    expect(check).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('belongs to pair sessions, not to orders') as string,
    });
    await stranger.close();
  });

  it('a second process for one site: it stands by and says so, and takes over when the first one dies', async () => {
    const env = envOf({ TANDEM_LEASE_MS: '1000' });
    const first = start('first', env);
    await until('the first to be active', async () => (await statusRole(env)) === 'active');
    const second = start('second', env);
    await second.waitForLog((line) => /stand(s|ing)? ?by/i.test(JSON.stringify(line)));
    expect(second.running).toBe(true);
    const from = second.log.length;
    await first.kill();
    await second.waitForLog((line) => /active|taken over|takes over/i.test(line.msg), { from });
  });
});

describe('a site runs', () => {
  const without = ['COMMAND', 'CLIENT', 'CONFIG'].flatMap((name) => ['--rename-command', name, '']);

  it.each([
    ['with one database', { config: { databases: '1' } }],
    ['without COMMAND, CLIENT and CONFIG', { args: without }],
    ['with one database, without COMMAND, CLIENT and CONFIG', { config: { databases: '1' }, args: without }],
  ])('on a server %s', async (_, options) => {
    const bare = await startServer(options);
    const own = start('bare', envOf({ TANDEM_LOCAL_URL: bare.url }));
    const other = start('west', mirrored({ TANDEM_PEER_URL: bare.url }));
    const [here, there] = [bare.client(), west.client()];
    try {
      await here.hset('from:east', 'f', 'v');
      await there.rpush('from:west', 'v');
      await until(
        'both changes to cross',
        async () => (await there.hget('from:east', 'f')) === 'v' && (await here.llen('from:west')) === 1,
        { deadlineMs: 20_000 },
      );
    } catch (error) {
      throw new Error(`${own.tail()}\n${other.tail()}`, { cause: error });
    } finally {
      for (const site of processes.splice(0)) await site.close();
      there.disconnect();
      await bare.stop();
    }
  });
});

/** All keys at some servers. */
async function keysAt(...servers: TestServer[]): Promise<number> {
  let keys = 0;
  for (const server of servers) {
    const redis = server.client();
    keys += await redis.dbsize();
    redis.disconnect();
  }
  return keys;
}

async function registered(server: TestServer, site: string, pair = 'orders'): Promise<boolean> {
  const redis = server.client();
  try {
    return (await redis.hget(keyNames({ prefix: 'tandem', pair }).site, 'site')) === site;
  } finally {
    redis.disconnect();
  }
}

async function statusRole(env: Record<string, string>): Promise<unknown> {
  const { stdout } = await runCli(['status', '--json'], env);
  return (JSON.parse(stdout) as { role?: string }).role;
}
