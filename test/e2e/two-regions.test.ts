/** The two halves under deploy/compose, as their Compose files have them: servers, secrets and settings, without the containers. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { expectEqual } from '../support/equal.js';
import { type Pair, type SiteOptions, startPair } from '../support/pair.js';
import { freePort } from '../support/ports.js';
import { quiet } from '../support/quiet.js';
import { NoTlsError } from '../support/server.js';
import { until } from '../support/wait.js';
import { runCli } from './run-cli.js';

const MAKE_SECRETS = resolve('deploy/compose/make-secrets');
const SITES = ['east', 'west'] as const;
const CHECKED = { deadlineMs: 30_000 };
type SiteName = (typeof SITES)[number];

interface Half {
  readonly config: Record<string, string>;
  readonly env: Record<string, string>;
}

let dir: string;
let pair: Pair | undefined;
const ports = {} as Record<SiteName, number>;

function secret(site: SiteName, name: string): string {
  return join(dir, site, name);
}

/** What a Compose file says, with this machine's paths and ports in place of the container's. */
function halfOf(site: SiteName): Half {
  const { redis, tandem } = (
    parse(readFileSync(`deploy/compose/${site}.yml`, 'utf8')) as {
      services: { redis: { command: string[] }; tandem: { environment: Record<string, string> } };
    }
  ).services;
  const here = (value: string): string => value.replace('/run/secrets', join(dir, site));
  const given = redis.command.slice(1);
  const options = given.flatMap((word, at) =>
    at % 2 === 0 ? [[word.slice(2), here(given[at + 1]!)] as const] : [],
  );
  const { port: _port, aclfile: _file, ...config } = Object.fromEntries(options);
  return {
    config: { ...config, 'tls-port': String(ports[site]) },
    env: Object.fromEntries(Object.entries(tandem.environment).map(([name, value]) => [name, here(value)])),
  };
}

function optionsOf(site: SiteName): SiteOptions {
  const { config, env } = halfOf(site);
  const aclLines = readFileSync(secret(site, 'users.acl'), 'utf8').trim().split('\n');
  const password = readFileSync(secret(site, 'app-password'), 'utf8').trim();
  return {
    server: { config, aclLines },
    account: { username: 'app', password },
    // The files have them.
    env: { ...env, TANDEM_LOCAL_URL: '', TANDEM_PEER_URL: '' },
  };
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tandem-regions-'));
  for (const site of SITES) ports[site] = await freePort();
  const hosts = SITES.map((site) => `localhost:${ports[site]}`);
  dir = join(dir, 'secrets');
  execFileSync(MAKE_SECRETS, ['--into', dir, ...hosts]);
  try {
    const setup = { pair: 'shop', start: false, east: optionsOf('east'), west: optionsOf('west') };
    pair = await startPair(setup);
  } catch (error) {
    // A server that was built without TLS is none of these files.
    if (error instanceof NoTlsError) return;
    throw error;
  }
  for (const site of SITES) {
    const url = readFileSync(secret(site, 'local-url'), 'utf8');
    rmSync(secret(site, 'local-url'));
    writeFileSync(
      secret(site, 'local-url'),
      url.replace('@redis:6379', `@127.0.0.1:${pair[site].server.port}`),
    );
    pair[site].start();
  }
  await quiet(pair);
});

afterAll(async () => {
  await pair?.close();
  rmSync(join(dir, '..'), { recursive: true, force: true });
});

test('both directions work, over TLS with a certificate at both ends', async ({ skip }) => {
  if (!pair) return skip('the server has no TLS');
  const { east, west } = pair;
  await Promise.all([east.redis.incrby('sum', 7), west.redis.incrby('sum', 5)]);
  await east.redis.multi().set('a', '1').rpush('list', 'x', 'y').exec();
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
  expect(await west.redis.get('sum')).toBe('12');
});

test.each(SITES)('the check passes at %s, and warns of nothing', async (site) => {
  if (!pair) return;
  const { env } = halfOf(site);
  // A server that has no turn for seconds, on a machine that is busy with other things, is found not to answer.
  await until(
    'a check that finds nothing',
    async () => {
      const { stdout } = await runCli(['check', '--json'], env);
      const { findings } = JSON.parse(stdout) as { findings: { name: string; outcome: string }[] };
      expect(findings.filter(({ outcome }) => outcome !== 'pass')).toEqual([]);
      return findings.length > 10;
    },
    CHECKED,
  );
});

test.each(SITES)('whoever has no certificate of the pair does not get in at %s', async (site) => {
  if (!pair) return;
  const password = /:([0-9a-f]+)@/.exec(
    readFileSync(secret(site === 'east' ? 'west' : 'east', 'peer-url'), 'utf8'),
  )![1]!;
  const tls = { ca: readFileSync(secret(site, 'ca.crt')) };
  const certified = {
    ...tls,
    cert: readFileSync(secret(site, 'site.crt')),
    key: readFileSync(secret(site, 'site.key')),
  };
  const connect = async (options: object): Promise<unknown> => {
    const client = new Redis({
      host: 'localhost',
      port: ports[site],
      username: 'tandem-peer',
      password,
      tls: options,
      protocol: 2,
      lazyConnect: true,
      retryStrategy: null,
      maxRetriesPerRequest: 0,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await client.ping();
    } catch (error) {
      return error;
    } finally {
      client.disconnect();
    }
  };
  expect(await connect(certified)).toBe('PONG');
  expect(await connect(tls)).toBeInstanceOf(Error);
});

test.each(SITES)('no secret stands in the log of %s', (site) => {
  if (!pair) return;
  const log = JSON.stringify(pair[site].log);
  const urls = ['local-url', 'peer-url'].map((name) => readFileSync(secret(site, name), 'utf8'));
  for (const url of urls) expect(log).not.toContain(/:([0-9a-f]{48})@/.exec(url)![1]);
});
