import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Redis } from 'ioredis';
import { expectEqual } from '../support/equal.js';
import { until } from '../support/wait.js';
import { Load } from './load.js';
import { SITES, type Service, type SiteName, Stack } from './stack.js';

const SERVICES: Service[] = ['east-redis', 'west-redis', 'east-tandem', 'west-tandem'];
/** Repairs, and containers that begin anew, on a machine that is busy with other things. */
const SETTLED_MS = 60_000;
/** Between a start and the first change: the 5 s of `repl-diskless-sync-delay` would not fit. */
const FIRST_MS = 4000;
const SOME = 60;

let stack: Stack;
let east: Redis;
let west: Redis;
let load: Load | undefined;
let loads = 0;

beforeAll(async () => {
  stack = await Stack.create();
  await stack.compose('build', 'east-tandem');
  await stack.compose('up', '--detach', '--wait');
  [east, west] = [stack.redis('east'), stack.redis('west')];
});
afterEach(async () => {
  await load?.stop();
  load = undefined;
});
afterAll(async () => stack.down());

async function begin(): Promise<Load> {
  load = new Load(stack, `load:${++loads}`);
  await load.more(SOME);
  return load;
}

/** Ends the load; resolves when no gap is left and both sites hold the same. */
async function settle(running: Load): Promise<void> {
  await running.more(SOME);
  await running.stop();
  const isWhole = async (site: SiteName): Promise<boolean> => !(await stack.status(site)).gap;
  await until(
    'both sites to be equal, without a gap',
    async () => {
      await expectEqual(east, west);
      return (await isWhole('east')) && (await isWhole('west'));
    },
    { deadlineMs: SETTLED_MS, maxPauseMs: 500 },
  );
}

async function expectExact(running: Load): Promise<void> {
  await settle(running);
  for (const redis of [east, west]) await running.expectExact(redis);
}

describe('docker-compose.yml in a clean clone', () => {
  test('is up with generated passwords, and a first change crosses without the wait for further replicas', async () => {
    await until('a change to cross', async () => {
      await east.set('first', '1');
      return west.get('first');
    });
    for (const site of SITES) {
      const log = await stack.log(`${site}-tandem`);
      const at = (msg: string): number => Date.parse(String(log.find((line) => line.msg === msg)?.['time']));
      expect(at('reading the replication stream') - at('starting')).toBeLessThan(FIRST_MS);
    }
  });

  test('carries writes, transactions and scripts both ways', async () => {
    await east.multi().set('a', '1').rpush('list', 'x', 'y').exec();
    await west.eval(
      "redis.call('HSET', KEYS[1], 'f', '1') redis.call('SADD', KEYS[2], 'm')",
      2,
      'hash',
      'set',
    );
    await Promise.all([east.incrby('sum', 7), west.incrby('sum', 5)]);
    await until('both sites to be equal', async () => {
      await expectEqual(east, west);
      return (await west.get('sum')) === '12' && (await west.exists('a', 'list', 'hash', 'set')) === 4;
    });
  });

  test('has accounts that can do no more than they need', async () => {
    for (const site of SITES) {
      const peer = stack.redis(site, { username: 'tandem-peer', password: stack.passwordOf(site, 'PEER') });
      await expect(peer.get('a')).rejects.toThrow('NOPERM');
      await expect(peer.call('ACL', 'LIST')).rejects.toThrow('NOPERM');
      const own = stack.redis(site, { username: 'tandem', password: stack.passwordOf(site, 'TANDEM') });
      await expect(own.config('SET', 'save', '')).rejects.toThrow('NOPERM');
      const app = site === 'east' ? east : west;
      await expect(app.call('ACL', 'LIST')).rejects.toThrow('NOPERM');
      await expect(app.call('SHUTDOWN')).rejects.toThrow('NOPERM');
      // Off, whatever it may do.
      const nobody = await stack.exec(`${site}-redis`, 'redis-cli', 'get', 'a');
      expect(nobody.stdout).toContain('NOAUTH');
    }
  });

  test.each(SITES)('passes the check at %s, which is on the PATH of the image', async (site) => {
    const { code, stdout } = await stack.exec(`${site}-tandem`, 'tandem', 'check', '--json');
    const { findings } = JSON.parse(stdout) as { findings: { name: string; outcome: string }[] };
    expect({ code, rest: findings.filter(({ outcome }) => outcome !== 'pass') }).toEqual({
      code: 0,
      rest: [],
    });
    expect(findings.map(({ name }) => name)).toEqual(expect.arrayContaining(['append-only file', 'memory']));
  });

  test('runs as a user who owns nothing, in a file system that cannot be written', async () => {
    const { stdout } = await stack.exec(
      'east-tandem',
      'sh',
      '-c',
      'id -un; touch /app/x 2>&1; tandem --version',
    );
    expect(stdout).toMatch(/^node\n.*(Read-only|denied).*\n\d+\.\d+\.\d+\n$/);
  });
});

describe('under load', () => {
  test.each(['east-tandem', 'west-redis'] as const)(
    'a network that %s is taken from, and given again, costs nothing',
    async (service) => {
      const running = await begin();
      const container = (await stack.compose('ps', '--quiet', service)).trim();
      const network = `${stack.project}_default`;
      expect((await stack.docker('network', 'disconnect', network, container)).code).toBe(0);
      if (service === 'east-tandem') await running.more(SOME);
      expect((await stack.docker('network', 'connect', '--alias', service, network, container)).code).toBe(0);
      await expectExact(running);
    },
  );

  test.each(SERVICES)('%s restarts, and all is counted once', async (service) => {
    const running = await begin();
    await stack.compose('restart', service);
    await expectExact(running);
  });

  test.each(SERVICES)(
    '%s is stopped for a while and started again, and all is counted once',
    async (service) => {
      const running = await begin();
      await stack.compose('stop', service);
      if (service.endsWith('tandem')) await running.more(SOME);
      await stack.compose('start', service);
      await expectExact(running);
    },
  );

  test.each(['east-tandem', 'west-tandem'] as const)(
    '%s is killed, and all is counted once',
    async (service) => {
      const running = await begin();
      await stack.compose('kill', service);
      await running.more(SOME);
      await stack.compose('start', service);
      await expectExact(running);
    },
  );

  // `appendfsync everysec` may lose what a killed server had acknowledged: then both sites are the same, whatever is left.
  test('a Redis is killed, and both sites are the same again', async () => {
    const running = await begin();
    await stack.compose('kill', 'west-redis');
    await stack.compose('start', 'west-redis');
    await settle(running);
  });

  test.each([['restart'], ['stop', 'start']])(
    'a %s of everything at once leaves both sites the same, and what one site alone has written is counted once',
    async (...commands) => {
      const running = await begin();
      for (const command of commands) await stack.compose(command);
      await settle(running);
      // Of what both write, in a gap at both sites, the value that was written last stays.
      for (const redis of [east, west]) await running.expectOwnExact(redis);
    },
  );

  test('a kill of everything at once leaves both sites the same', async () => {
    const running = await begin();
    await stack.compose('kill');
    await stack.compose('start');
    await settle(running);
  });
});

/** All that a job says beside its result: how far it is, where it takes more than a second. */
const PROGRESS: unknown = expect.stringMatching(/^((verify|repair)(:| \().*\n)*$/);

describe('inside the container', () => {
  const DIFFERENT = ['differs:1', 'differs:2'];

  test('verify lists what differs where it can be read, repair mends it, and the exit codes say so', async () => {
    await east.mset(...DIFFERENT.flatMap((key) => [key, 'a']));
    await until('the keys to cross', async () => (await west.exists(...DIFFERENT)) === DIFFERENT.length);
    const unseen =
      "redis.set_repl(redis.REPL_NONE) for _, key in ipairs(KEYS) do redis.call('SET', key, 'b') end";
    await west.eval(unseen, DIFFERENT.length, ...DIFFERENT);
    const found = await stack.exec('east-tandem', 'tandem', 'verify');
    expect(found).toMatchObject({ code: 1, stderr: PROGRESS });
    const file = /The keys are listed in (\S+)\./.exec(found.stdout)?.[1] ?? '';
    const list = await stack.exec('east-tandem', 'cat', file);
    expect(
      list.stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { key: string }).key),
    ).toEqual(DIFFERENT);
    expect(await stack.exec('east-tandem', 'tandem', 'repair', '--prefer', 'east')).toMatchObject({
      code: 0,
      stderr: PROGRESS,
    });
    expect(await stack.exec('west-tandem', 'tandem', 'verify')).toMatchObject({ code: 0, stderr: PROGRESS });
    expect(await west.mget(...DIFFERENT)).toEqual(['a', 'a']);
  });

  test.each(SITES)('status tells what the process of %s does', async (site) => {
    const { code, stdout } = await stack.exec(`${site}-tandem`, 'tandem', 'status');
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`pair demo, site ${site} +active`));
  });

  test.each(SITES)(
    'the log of %s is read back through Compose: a line of JSON each, no secret in it',
    async (site) => {
      await stack.compose('stop', `${site}-tandem`);
      const log = await stack.log(`${site}-tandem`);
      for (const line of log)
        expect(line).toMatchObject({
          pair: 'demo',
          site,
          level: expect.any(String),
          msg: expect.any(String),
        });
      expect(log.at(-1)?.msg).toBe('stopped');
      const text = JSON.stringify(log);
      expect(Object.values(stack.passwords).filter((password) => text.includes(password))).toEqual([]);
      await stack.compose('start', `${site}-tandem`);
    },
  );
});
