import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ConfigSources, loadConfig } from '../../../src/config/config.js';
import { jsonMistake } from '../../../src/config/json-mistake.js';
import { settingsTable } from '../../../src/config/markdown.js';
import { SETTINGS } from '../../../src/config/settings.js';
import { TandemError } from '../../../src/errors.js';

const dir = mkdtempSync(join(tmpdir(), 'tandem-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

const ENOUGH = {
  TANDEM_PAIR: 'orders',
  TANDEM_SITE: 'east',
  TANDEM_PEER: 'west',
  TANDEM_LOCAL_URL: 'redis://:sesame@east.example:6379',
  TANDEM_PEER_URL: 'rediss://tandem:sesame@west.example:6380',
};

let files = 0;
function file(content: unknown): string {
  const path = join(dir, `${files++}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function problemsOf(sources: ConfigSources): string {
  try {
    loadConfig(sources);
  } catch (error) {
    expect(error).toBeInstanceOf(TandemError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 });
    return (error as TandemError).message;
  }
  throw new Error('the configuration was accepted');
}

function withEnv(env: Record<string, string>): ConfigSources {
  return { env: { ...ENOUGH, ...env } };
}

describe('the configuration', () => {
  it('needs five settings and has a default for every other', () => {
    const config = loadConfig({ env: ENOUGH });
    expect(config).toMatchObject({
      pair: 'orders',
      site: 'east',
      peer: 'west',
      streamUrl: null,
      tls: { caFile: null, rejectUnauthorized: true },
      keyPrefix: 'tandem',
      flush: 'ignore',
      publish: true,
      filters: { databases: 'all', keysInclude: ['*'], keysExclude: [], commandsExclude: [] },
      batchBytes: 65_536,
      inboxBytes: 64 * 2 ** 20,
      changesBytes: 512 * 2 ** 20,
      httpPort: 0,
    });
  });

  it('names all settings that are missing, each with its flag and its variable', () => {
    const message = problemsOf({ env: {} });
    for (const name of ['pair', 'site', 'peer', 'localUrl', 'peerUrl'])
      expect(message).toMatch(new RegExp(`- ${name} \\(--.*TANDEM_.*must be set`));
  });

  it('passes over what Kubernetes tells of services called tandem…, and over nothing else', () => {
    const services = {
      TANDEM_PORT: 'tcp://10.96.3.4:8080',
      TANDEM_SERVICE_HOST: '10.96.3.4',
      TANDEM_SERVICE_PORT: '8080',
      TANDEM_SERVICE_PORT_HTTP: '8080',
      TANDEM_PORT_8080_TCP: 'tcp://10.96.3.4:8080',
      TANDEM_PORT_8080_TCP_PROTO: 'tcp',
      TANDEM_PORT_8080_TCP_PORT: '8080',
      TANDEM_PORT_8080_TCP_ADDR: '10.96.3.4',
      TANDEM_EAST_SERVICE_HOST: 'fd00::12',
      TANDEM_EAST_SERVICE_PORT: '6379',
      TANDEM_EAST_REDIS_PORT: 'tcp://[fd00::12]:6379',
      TANDEM_EAST_PORT_53_UDP_ADDR: '10.96.3.5',
      // Of a service called tandem-http.
      TANDEM_HTTP_PORT: 'tcp://10.96.3.6:80',
    };
    expect(loadConfig(withEnv(services)).httpPort).toBe(0);
    for (const [name, value] of [
      ['TANDEM_SIET', 'east'],
      ['TANDEM_PORT', '8401'],
      ['TANDEM_HTTP_PROT', '8401'],
      ['TANDEM_SERVICE_PORT', 'https'],
      ['TANDEM_SERVICE_HOSTS', '10.96.3.4'],
    ] as const)
      expect(problemsOf(withEnv({ [name]: value }))).toContain(`${name}: no such environment variable`);
  });

  it('is frozen through and through', () => {
    const config = loadConfig({ env: ENOUGH });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.filters.keysInclude)).toBe(true);
  });

  it('takes a flag before a variable before the file', () => {
    const sources = {
      file: file({ batchCommands: 1, windowSeconds: 3, leaseMs: 1000, tls: { rejectUnauthorized: true } }),
    };
    const config = loadConfig({
      ...sources,
      env: { ...ENOUGH, TANDEM_BATCH_COMMANDS: '2', TANDEM_WINDOW_SECONDS: '4' },
      flags: new Map([['batchCommands', '5']]),
    });
    expect(config).toMatchObject({ batchCommands: 5, windowSeconds: 4, leaseMs: 1000 });
  });

  it('can be named by TANDEM_CONFIG instead of --config', () => {
    expect(loadConfig(withEnv({ TANDEM_CONFIG: file({ batchCommands: 7 }) })).batchCommands).toBe(7);
  });

  it('takes an empty variable for an absent one', () => {
    expect(loadConfig(withEnv({ TANDEM_STREAM_URL: '', TANDEM_FLUSH: '' }))).toMatchObject({
      streamUrl: null,
      flush: 'ignore',
    });
  });

  it('understands lists, sizes and databases in text', () => {
    const config = loadConfig(
      withEnv({
        TANDEM_FILTERS_DATABASES: '0,3',
        TANDEM_FILTERS_KEYS_INCLUDE: 'app:*, cache:[ab]*',
        TANDEM_FILTERS_KEYS_EXCLUDE: '["a,b*"]',
        TANDEM_FILTERS_COMMANDS_EXCLUDE: 'PUBLISH,Restore',
        TANDEM_INBOX_BYTES: '2MiB',
        TANDEM_CHANGES_BYTES: '1gb',
      }),
    );
    expect(config.filters).toEqual({
      databases: [0, 3],
      keysInclude: ['app:*', 'cache:[ab]*'],
      keysExclude: ['a,b*'],
      commandsExclude: ['publish', 'restore'],
    });
    expect(config).toMatchObject({ inboxBytes: 2 ** 21, changesBytes: 2 ** 30 });
  });

  it('refuses what is nearly a number, nearly a boolean, out of range or not among the choices', () => {
    const message = problemsOf(
      withEnv({
        TANDEM_BATCH_COMMANDS: '12x',
        TANDEM_BATCH_BYTES: '1',
        TANDEM_PUBLISH: 'yes',
        TANDEM_FLUSH: 'maybe',
        TANDEM_HTTP_PORT: '70000',
        TANDEM_FILTERS_DATABASES: '0,one',
        TANDEM_LEASE_MS: '2.5',
      }),
    );
    expect(message.match(/\n {2}- /g)).toHaveLength(7);
    expect(message).toContain(
      'batchCommands (TANDEM_BATCH_COMMANDS): must be a whole number from 1 to 65536: value was "12x"',
    );
  });

  it('refuses wrong types in the file, where a number in quotes is one', () => {
    const message = problemsOf({
      env: ENOUGH,
      file: file({
        httpPort: '80',
        publish: 1,
        tls: true,
        filters: { keysInclude: 'a*' },
        localUrl: { host: 'h' },
      }),
    });
    for (const name of ['httpPort', 'publish', 'tls', 'filters.keysInclude', 'localUrl'])
      expect(message).toContain(`- ${name}`);
  });

  it.each([
    ['an unknown setting', { pairs: 'x' }, 'pairs: no such setting'],
    ['an unknown nested setting', { tls: { cafile: 'x' } }, 'tls.cafile: no such setting'],
    [
      'a key that pollutes prototypes',
      JSON.parse('{"__proto__": {"polluted": true}}') as unknown,
      '__proto__: no such setting',
    ],
  ])('refuses %s in the file', (_, content, problem) => {
    expect(problemsOf({ env: ENOUGH, file: file(JSON.stringify(content)) })).toContain(problem);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('refuses a variable it does not know and says which was probably meant', () => {
    expect(problemsOf(withEnv({ TANDEM_PEERURL: 'x' }))).toContain(
      'TANDEM_PEERURL: no such environment variable; did you mean TANDEM_PEER_URL?',
    );
    expect(problemsOf(withEnv({ TANDEM_BATHC_BYTES: '1' }))).toContain('did you mean TANDEM_BATCH_BYTES?');
  });

  it("leaves the tests' own variables alone", () => {
    expect(() => loadConfig(withEnv({ TANDEM_TEST_REDIS: 'x' }))).not.toThrow();
  });

  it('tells about a file that is absent, not JSON or not an object', () => {
    expect(problemsOf({ env: ENOUGH, file: join(dir, 'none.json') })).toContain('cannot be read (ENOENT)');
    expect(problemsOf({ env: ENOUGH, file: file('{"localUrl": "redis://:sesame@h" oops') })).toContain(
      'is not valid JSON',
    );
    expect(problemsOf({ env: ENOUGH, file: file('[]') })).toContain('must hold an object');
  });

  it('says how YAML is named where a file is neither named so nor JSON', () => {
    const path = join(dir, 'tandem.conf');
    writeFileSync(path, 'site: east\n');
    expect(problemsOf({ env: ENOUGH, file: path })).toContain('YAML is read from a file named .yaml or .yml');
    expect(problemsOf({ env: ENOUGH, file: file('{') })).not.toContain('YAML');
  });

  it('takes a file that begins with a byte order mark', () => {
    expect(loadConfig({ env: ENOUGH, file: file('\uFEFF{"httpPort": 7}') }).httpPort).toBe(7);
  });

  it('says where a file stops being JSON, and does not call missing what the file was to set', () => {
    const message = problemsOf({
      env: {},
      file: file('{\n  "site": "east",\n  "localUrl": "redis://:sesame@h",\n}'),
    });
    expect(message).toContain('is not valid JSON: see line 4, column 1');
    expect(message).not.toMatch(/must be set|sesame/);
    expect(message.match(/^ {2}- /gm)).toHaveLength(1);
  });

  it.each([
    ['', [1, 1]],
    ['{', [1, 2]],
    ['{"a": 1', [1, 8]],
    ['{"a" 1}', [1, 6]],
    ['{\n"a": tru\n}', [2, 6]],
    ["{'a': 1}", [1, 2]],
    ['{"a": 1,}', [1, 9]],
    ['{"a": [1, 2,]}', [1, 13]],
    ['{"a": [,1]}', [1, 8]],
    ['{"a": 1} x', [1, 10]],
    ['{"a": "x\n"}', [1, 7]],
    ['{"a": 01}', [1, 7]],
    ['{"a": .5}', [1, 7]],
    ['// settings\n{}', [1, 1]],
    ['{"a": 1]', [1, 8]],
    ['\uFEFF{}', [1, 1]],
  ])('finds the mistake in %j', (text, [line, column]) => {
    expect(() => JSON.parse(text) as unknown).toThrow();
    expect(jsonMistake(text)).toEqual({ line, column });
  });

  it.each(['{}', '[]', ' [1, -2.5e+3, {"a\\u00e9\\n": [true, false, null, "", {}]}]\n', '"x"', '0'])(
    'finds none in %j',
    (text) => {
      expect(() => JSON.parse(text) as unknown).not.toThrow();
      expect(jsonMistake(text)).toBeUndefined();
    },
  );

  it.each(['yesterday', '0 3 * *', '61 * * * *', '0 3 * * * * *', '* * *', '@daily'])(
    'refuses a schedule that is none: %s',
    (cron) => {
      expect(problemsOf(withEnv({ TANDEM_VERIFY_CRON: cron }))).toContain('verifyCron (TANDEM_VERIFY_CRON)');
    },
  );

  it.each(['', '0 3 * * *', '*/10 * * * * *', '0 3 * * MON-FRI'])('takes a schedule: "%s"', (cron) => {
    expect(loadConfig(withEnv({ TANDEM_VERIFY_CRON: cron })).verifyCron).toBe(cron);
  });

  it.each([
    ['one name for both sites', { TANDEM_PEER: 'east' }, 'site and peer'],
    [
      'one server for both sites',
      { TANDEM_PEER_URL: 'redis://other@east.example:6379'.replace('other@', '') },
      'localUrl and peerUrl',
    ],
    [
      "the peer's server as the source of the stream",
      { TANDEM_STREAM_URL: ENOUGH.TANDEM_PEER_URL },
      'streamUrl and peerUrl',
    ],
    [
      'one primary of the same Sentinels for both sites',
      {
        TANDEM_LOCAL_URL: 'sentinel://:secret@a,b:26379/shop',
        TANDEM_PEER_URL: 'sentinel://b,a/shop?sentinelPassword=secret',
      },
      'both lead to shop at the Sentinels a:26379, b:26379',
    ],
    [
      'a certificate without a key',
      { TANDEM_TLS_CERT_FILE: import.meta.filename },
      'tls.certFile and tls.keyFile',
    ],
    [
      'TLS settings without a TLS URL',
      { TANDEM_TLS_CA_FILE: import.meta.filename, TANDEM_PEER_URL: 'redis://west.example' },
      'no URL starts with rediss:// or sentinels://',
    ],
    [
      'a shortest pause above the longest',
      { TANDEM_BACKOFF_MIN_MS: '900', TANDEM_BACKOFF_MAX_MS: '800' },
      'backoffMinMs and backoffMaxMs',
    ],
    [
      'a batch larger than the inbox',
      { TANDEM_BATCH_BYTES: '2MiB', TANDEM_INBOX_BYTES: '1MiB' },
      'batchBytes and inboxBytes',
    ],
    ['a bandwidth that is too little', { TANDEM_WAN_BYTES_PER_SECOND: '4KiB' }, 'wanBytesPerSecond: 4096'],
    ['a preferred site that is neither', { TANDEM_PREFER: 'north' }, 'prefer: "north" is neither'],
    ['filters that leave nothing', { TANDEM_FILTERS_KEYS_EXCLUDE: '*' }, 'no key is left'],
    [
      'channels without publish',
      { TANDEM_PUBLISH: 'false', TANDEM_PUBLISH_CHANNELS_INCLUDE: 'a' },
      'publish is false',
    ],
  ])('refuses %s', (_, env, problem) => {
    expect(problemsOf(withEnv(env))).toContain(problem);
  });

  it('takes zstd only where this Node.js has it', () => {
    const env = withEnv({ TANDEM_COMPRESS: 'zstd' });
    if (process.versions['zstd'] === undefined) expect(problemsOf(env)).toContain('22.15 has it');
    else expect(loadConfig(env).compress).toBe('zstd');
  });

  it('reports what does not go together beside a value that is wrong, but for what looks at that value', () => {
    const sources = withEnv({
      TANDEM_LOCAL_URL: 'http://wrong:6379',
      TANDEM_LEASE_MS: 'soon',
      TANDEM_BACKOFF_MIN_MS: '5000',
      TANDEM_BACKOFF_MAX_MS: '100',
      TANDEM_PREFER: 'north',
      TANDEM_TLS_CA_FILE: '/nowhere/ca.pem',
    });
    const lines = problemsOf(sources).split('\n').slice(1);
    expect(lines.map((line) => /^ {2}- ([\w.]+(?: and [\w.]+)?)/.exec(line)?.[1])).toEqual([
      'localUrl',
      'leaseMs',
      'tls.caFile',
      'prefer',
      'backoffMinMs and backoffMaxMs',
    ]);
  });

  it('reports the environment, the file, the values and the contradictions in one message', () => {
    const message = problemsOf({
      env: { ...ENOUGH, TANDEM_NONSENSE: '1', TANDEM_PEER: 'east' },
      file: file({ nonsense: 1 }),
    });
    for (const part of ['TANDEM_NONSENSE', 'nonsense: no such setting', 'site and peer'])
      expect(message).toContain(part);
  });

  it.each([
    'redis://tandem:sesame@east.example:6379/3',
    'redis://tandem:sesame@east.example:99999',
    'http://tandem:sesame@east.example',
    'redis://tandem:sesame@east.example?db=1',
    'redis://tandem:ses%ZZame@east.example',
    'sentinel://tandem:sesame@east.example',
    'sentinel://tandem:sesame@east.example/shop?sentinelUser=sesame',
    'sentinel://tandem:ses%ZZame@east.example/shop',
    'sesame',
  ])('never repeats a URL it refuses: %s', (url) => {
    for (const message of [
      problemsOf(withEnv({ TANDEM_LOCAL_URL: url })),
      problemsOf({ env: ENOUGH, flags: new Map([['localUrl', url]]) }),
    ]) {
      expect(message).toContain('localUrl');
      expect(message).not.toMatch(/ses(%ZZ)?ame/);
    }
  });
});

describe('the settings', () => {
  it('have flags and variables that differ from one another and are made of the path', () => {
    expect(new Set(SETTINGS.map(({ flag }) => flag)).size).toBe(SETTINGS.length);
    expect(new Set(SETTINGS.map(({ env }) => env)).size).toBe(SETTINGS.length);
    expect(SETTINGS.find(({ path }) => path === 'tls.caFile')).toMatchObject({
      env: 'TANDEM_TLS_CA_FILE',
      flag: 'tls-ca-file',
    });
  });

  it('all stand in the table for the documents, with a default and an explanation', () => {
    const rows = settingsTable().split('\n');
    expect(rows).toHaveLength(SETTINGS.length + 2);
    expect(rows).toContain(
      '| `inboxBytes` | `TANDEM_INBOX_BYTES` | `64MiB` | Bound of the delivered changes that wait at a site. Beyond it the sender is slowed. |',
    );
    for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(6);
  });
});
