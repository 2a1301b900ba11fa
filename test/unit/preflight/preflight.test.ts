import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/config.js';
import { keyNames } from '../../../src/redis/keys.js';
import { type ServerFacts, parseInfo, parseOutputLimit } from '../../../src/redis/server-facts.js';
import {
  judgeClocks,
  judgeHistory,
  judgeOwnRegistration,
  judgePeerRegistration,
  judgeServers,
  judgeStrangers,
  withDoubt,
} from '../../../src/preflight/pair.js';
import { peerAclRule } from '../../../src/preflight/rights.js';
import { judgeServer, judgeVersion } from '../../../src/preflight/server.js';

const config = loadConfig({
  env: {
    TANDEM_PAIR: 'orders',
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: 'redis://e',
    TANDEM_PEER_URL: 'redis://w',
  },
});
const keys = keyNames({ prefix: 'tandem', pair: 'orders' });

function facts(changes: Partial<ServerFacts> = {}): ServerFacts {
  return {
    where: 'east.example:6379',
    product: 'Redis',
    version: '7.0.15',
    redisVersion: '7.0.15',
    runId: 'a'.repeat(40),
    replid: 'b'.repeat(40),
    role: 'master',
    primary: null,
    clusterEnabled: false,
    evictionPolicy: 'noeviction',
    backlogBytes: 2 ** 26,
    replicaOutputLimit: { hardBytes: 2 ** 28, softBytes: 2 ** 26, softSeconds: 60 },
    memory: { usedBytes: 2 ** 20, maxmemoryBytes: 0 },
    backlogHeldBytes: 0,
    configFile: '/etc/redis/redis.conf',
    isAofOn: false,
    clockOffsetMs: 0,
    ...changes,
  };
}

function outcomes(changes: Partial<ServerFacts>, subject: 'local' | 'peer' | 'stream' = 'local'): string[] {
  return judgeServer(facts(changes), subject)
    .filter(({ outcome }) => outcome !== 'pass')
    .map(({ name, outcome, code = '' }) => `${name} ${outcome} ${code}`.trim());
}

describe('the judgement of a server', () => {
  it('finds nothing to say about one that is set up well', () => {
    for (const subject of ['local', 'peer', 'stream'] as const) expect(outcomes({}, subject)).toEqual([]);
  });

  it.each([
    ['2.8.24', 'fail'],
    ['5.0.14', 'fail'],
    ['6.0.20', 'fail'],
    ['6.2.0', 'pass'],
    ['7.4.2', 'pass'],
    ['8.0.2', 'pass'],
    ['10.0.0', 'pass'],
    [null, 'fail'],
    ['nonsense', 'fail'],
  ])('version %s: %s', (version, outcome) => {
    expect(judgeVersion(facts({ version, redisVersion: version })).outcome).toBe(outcome);
  });

  it('takes the version of Redis that a Valkey behaves like, and shows its own', () => {
    expect(judgeVersion(facts({ product: 'Valkey', version: '8.1.1', redisVersion: '7.2.4' }))).toMatchObject(
      { outcome: 'pass', message: 'Valkey 8.1.1' },
    );
  });

  it.each([
    [{ role: 'slave', primary: 'h:1' }, 'role fail NOT_A_PRIMARY'],
    [{ clusterEnabled: true }, 'mode fail UNSUPPORTED_MODE'],
    [{ evictionPolicy: 'allkeys-lru' }, 'eviction warn'],
    [{ backlogBytes: 2 ** 20 }, 'backlog warn'],
    [{ replicaOutputLimit: { hardBytes: 2 ** 20, softBytes: 0, softSeconds: 0 } }, 'output limit warn'],
    [{ replicaOutputLimit: null }, 'output limit skipped'],
  ])('%j: %s', (changes, outcome) => {
    expect(outcomes(changes)).toEqual([outcome]);
  });

  it('takes unlimited for enough', () => {
    expect(outcomes({ replicaOutputLimit: { hardBytes: 0, softBytes: 0, softSeconds: 0 } })).toEqual([]);
  });

  it('lets the stream come from a replica, but not the peer be one', () => {
    expect(outcomes({ role: 'slave' }, 'stream')).toEqual([]);
    expect(outcomes({ role: 'slave' }, 'peer')).toEqual(['role fail NOT_A_PRIMARY']);
  });

  it('reads what servers say of themselves', () => {
    expect(parseInfo('# Server\r\nredis_version:7.0.15\r\nexecutable:/a:b\r\n').get('executable')).toBe(
      '/a:b',
    );
    expect(parseOutputLimit('normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3')).toEqual({
      hardBytes: 2 ** 28,
      softBytes: 2 ** 26,
      softSeconds: 60,
    });
    expect(parseOutputLimit('')).toBeNull();
  });
});

describe('the judgement of a pair', () => {
  it('refuses one server under two names', () => {
    expect(judgeServers(facts(), facts({ where: 'other:1' }))).toMatchObject({
      outcome: 'fail',
      code: 'SAME_SITE',
    });
    expect(judgeServers(facts(), facts({ runId: 'c' })).outcome).toBe('pass');
  });

  it('warns of clocks that differ, either way', () => {
    for (const clockOffsetMs of [1500, -1500])
      expect(judgeClocks(facts(), facts({ clockOffsetMs }), 1000).outcome).toBe('warn');
    expect(judgeClocks(facts({ clockOffsetMs: 5000 }), facts({ clockOffsetMs: 5100 }), 1000).outcome).toBe(
      'pass',
    );
  });

  it('refuses a stream of another history', () => {
    expect(judgeHistory(facts({ replid: 'x' }), facts())).toMatchObject({
      outcome: 'fail',
      code: 'CONFIG_INVALID',
    });
    expect(judgeHistory(facts(), facts()).outcome).toBe('pass');
  });

  it.each([
    [null, 'pass', undefined],
    ['east', 'pass', undefined],
    ['west', 'fail', 'SAME_SITE'],
    ['north', 'fail', 'WRONG_PAIR'],
  ])('own Redis registered as %s: %s', (site, outcome, code) => {
    const registration = site === null ? null : { pair: 'orders', site };
    expect(judgeOwnRegistration(registration, config, keys)).toMatchObject({
      outcome,
      ...(code === undefined ? {} : { code }),
    });
  });

  it.each([
    ['west', [], 'pass', undefined],
    [null, [], 'warn', undefined],
    ['east', [], 'fail', 'SAME_SITE'],
    ['north', [], 'fail', 'WRONG_PAIR'],
    [null, ['sessions'], 'fail', 'WRONG_PAIR'],
    ['west', ['sessions'], 'pass', undefined],
  ])("the peer's Redis registered as %s, other pairs %j: %s", (site, strangers, outcome, code) => {
    const registration = site === null ? null : { pair: 'orders', site };
    expect(judgePeerRegistration(registration, strangers, config)).toMatchObject({
      outcome,
      ...(code === undefined ? {} : { code }),
    });
  });

  it('warns of another pair on the same Redis', () => {
    expect(judgeStrangers(['sessions']).outcome).toBe('warn');
    expect(judgeStrangers([]).outcome).toBe('pass');
  });

  it('asks for no right beyond the open keys at the peer', () => {
    expect(peerAclRule(keys)).toMatch(/^~tandem:\{orders\}:in:\* resetchannels -@all \+ping /);
  });
});

describe('rights that are lacking at the peer', () => {
  const lacking = {
    name: 'rights',
    outcome: 'fail',
    code: 'NO_PERMISSION',
    message: 'the account may not: hset',
    advice: peerAclRule(keys),
  } as const;

  it('are to be granted, unless the pair may be another one', () => {
    expect(withDoubt(lacking, config, [])).toEqual(lacking);
    expect(withDoubt(lacking, config, ['shop']).advice).toBe(
      `Is pair (orders) or keyPrefix (tandem) misspelt? The local Redis has keys of pair shop. If not: ${peerAclRule(keys)}`,
    );
    const passed = { name: 'rights', outcome: 'pass', message: '' } as const;
    expect(withDoubt(passed, config, ['shop'])).toEqual(passed);
  });
});
