import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Config, loadConfig } from '../../src/config/config.js';
import { keyNames } from '../../src/redis/keys.js';
import type { Finding } from '../../src/preflight/finding.js';
import { localAclRule, peerAclRule } from '../../src/preflight/rights.js';
import { NoTlsError, type TestServer, startServer } from '../support/server.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';
import { findingsOf, inStep, isOrdinary, troubles, withUser } from './checking.js';

/** What servers may lack or speak, and the check finds. */
const keys = keyNames({ prefix: 'tandem', pair: 'orders' });
const { server: east } = useServer({ config: { 'repl-backlog-size': '32mb' } });
const { server: west } = useServer();

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

describe('the check of servers', () => {
  it('leaves no line in the log of either server, nor of a replica that serves the stream', async () => {
    const config = { logfile: 'server.log' };
    const [one, other] = await Promise.all([startServer({ config }), startServer({ config })]);
    const replica = await startServer({ config: { ...config, replicaof: `127.0.0.1 ${one.port}` } });
    await inStep(replica);
    const logs = (): string[] =>
      [one, other, replica].map(({ dir }) => readFileSync(join(dir, 'server.log'), 'utf8'));
    await until('the primary to have said all about its replica', () =>
      ['Background RDB transfer terminated with success', /Synchronization with replica \S+ succeeded/].every(
        (line) => logs()[0]!.match(line),
      ),
    );
    const before = logs();
    for (const streamUrl of ['', replica.url])
      expect(
        await troubles(
          configOf({
            TANDEM_LOCAL_URL: one.url,
            TANDEM_PEER_URL: other.url,
            TANDEM_STREAM_URL: streamUrl,
          }),
        ),
      ).not.toContainEqual(expect.stringContaining('fail'));
    // What a command writes into the log stands there before it is answered.
    expect(logs()).toEqual(before);
    expect(before[0]).toContain('Ready to accept connections');
    await Promise.all([one, other, replica].map((server) => server.stop()));
  });
});

describe('a server without a command', () => {
  /** The findings about a server whose configuration renames or disables commands, as `KEYS ""` or `KEYS other`. */
  async function findingsWith(
    renamed: Record<string, string>,
    env: Record<string, string> = {},
  ): Promise<Finding[]> {
    const args = Object.entries(renamed).flatMap(([name, other]) => ['--rename-command', name, other]);
    const server = await startServer({ args });
    try {
      return await findingsOf(configOf({ TANDEM_LOCAL_URL: server.url, ...env }));
    } finally {
      await server.stop();
    }
  }
  const outcomesOf = (findings: Finding[]): string[] =>
    findings
      .filter(({ subject, outcome }) => subject === 'local' && outcome !== 'pass')
      .map(({ name, outcome, code = '', message }) => `${name} ${outcome} ${code}: ${message}`)
      .filter((line) => !/^(backlog|output limit)/.test(line));

  it('of the replication stream is said not to offer it, and no right is advised', async () => {
    const findings = await findingsWith({ PSYNC: '' });
    expect(outcomesOf(findings)).toEqual([
      'stream fail STREAM_REFUSED: the server does not offer its replication stream: it does not know PSYNC',
    ]);
    expect(findings.find(({ name }) => name === 'stream')?.advice).not.toMatch(/\+psync|ACL SETUSER/);
  });

  it.each(['EVAL', 'HINCRBY', 'WATCH', 'MULTI'])('that is needed, %s, is refused', async (name) => {
    const findings = await findingsWith({ [name]: `x-${name}` });
    expect(outcomesOf(findings).join()).toContain(
      `rights fail UNSUPPORTED_MODE: the server does not know: ${name.toLowerCase()}`,
    );
    expect(findings.find(({ outcome }) => outcome === 'fail')?.advice).toContain('rename-command');
  });

  it('that people like to take away is as good as any', async () => {
    const renamed = { FLUSHALL: '', FLUSHDB: '', KEYS: '', CONFIG: '', DEBUG: '', SHUTDOWN: '' };
    expect(outcomesOf(await findingsWith(renamed))).toEqual([]);
    expect(outcomesOf(await findingsWith({ FLUSHDB: '', KEYS: '' }, { TANDEM_FLUSH: 'replicate' }))).toEqual([
      'rights fail UNSUPPORTED_MODE: the server does not know: flushdb, keys',
    ]);
  });

  it('of data under its own name is warned of', async () => {
    expect(outcomesOf(await findingsWith({ PFADD: 'x-pfadd' }))).toEqual([
      'names warn : the server does not know by its name: pfadd',
    ]);
  });

  it.each(['COMMAND', 'CLIENT'])('that can be done without, %s, is warned of', async (name) => {
    expect(outcomesOf(await findingsWith({ [name]: '' }))).toEqual([
      expect.stringMatching(/^(command list|client names) warn : .*(COMMAND|CLIENT SETNAME)/),
    ]);
  });
});

describe('what can be done without', () => {
  it('is warned of, and the rights to data are looked at all the same', async () => {
    await withUser(east(), `${localAclRule()} -command -zadd -xautoclaim`, async (url) => {
      const found = await findingsOf(configOf({ TANDEM_LOCAL_URL: url }));
      expect(
        found.filter((one) => one.subject === 'local' && one.outcome !== 'pass' && !isOrdinary(one)),
      ).toMatchObject([
        { name: 'rights', outcome: 'fail', message: 'the account may not: zadd, xautoclaim' },
        { name: 'command list', outcome: 'warn' },
      ]);
    });
  });

  it.each(['local', 'peer'])('at the %s: the names of connections', async (subject) => {
    const [server, rule, setting] =
      subject === 'local'
        ? ([east(), localAclRule(), 'TANDEM_LOCAL_URL'] as const)
        : ([west(), peerAclRule(keys), 'TANDEM_PEER_URL'] as const);
    await withUser(server, `${rule} -client|setname -client`, async (url) => {
      expect(await troubles(configOf({ [setting]: url }))).toEqual([`${subject} client names warn`]);
    });
  });
});

describe('TLS', () => {
  it('where the server has none, and none where it has, is said to be the mistake, at either end', async (context) => {
    const secure = await startServer({ tls: true }).catch((error: unknown) => {
      if (error instanceof NoTlsError) return undefined;
      throw error;
    });
    if (!secure) return context.skip();
    const plainUrl = secure.url.replace('rediss:', 'redis:');
    const secureUrl = (server: TestServer): string => server.url.replace('redis:', 'rediss:');
    for (const [local, peer, message] of [
      [secureUrl(east()), west().url, `127.0.0.1:${east().port} does not speak TLS, and the URL asks for it`],
      [east().url, secureUrl(west()), `127.0.0.1:${west().port} does not speak TLS, and the URL asks for it`],
      [plainUrl, west().url, `127.0.0.1:${secure.port} speaks TLS, and the URL does not ask for it`],
      [east().url, plainUrl, `127.0.0.1:${secure.port} speaks TLS, and the URL does not ask for it`],
    ] as const) {
      const startedAt = performance.now();
      const findings = await findingsOf(
        configOf({
          TANDEM_LOCAL_URL: local,
          TANDEM_PEER_URL: peer,
          TANDEM_CONNECT_TIMEOUT_MS: '10000',
        }),
      );
      expect(findings.filter(({ outcome }) => outcome === 'fail')).toMatchObject([
        { code: 'TLS_FAILED', message, advice: expect.stringContaining('rediss://') as string },
      ]);
      // Before a site begins without the check.
      expect(performance.now() - startedAt).toBeLessThan(5000);
    }
    await secure.stop();
  });
});
