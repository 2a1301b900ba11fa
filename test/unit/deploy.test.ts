import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { main } from '../../src/cli/program.js';
import { SETTINGS } from '../../src/config/settings.js';
import { ERROR_CODES } from '../../src/errors.js';
import { renderMetrics } from '../../src/observe/metrics.js';
import { localAclRule, peerAclRule } from '../../src/preflight/rights.js';
import { keyNames } from '../../src/redis/keys.js';
import { exampleStatus } from './observe/example-status.js';

const METRICS = new Set(
  [...renderMetrics(exampleStatus()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name),
);
const NAME = /\btandem_[a-z_]+\b/g;
const MAKE_SECRETS = resolve('deploy/compose/make-secrets');
const SECRET_FOLDER = '/run/secrets/';

/** What a person runs from, or puts on a machine. */
const FILES = [
  'Dockerfile',
  'docker-compose.yml',
  ...readdirSync('deploy', { recursive: true, withFileTypes: true })
    // What make-secrets has made here is of no repository.
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('secrets'))
    .map((entry) => join(entry.parentPath, entry.name)),
];

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

function read(file: string): string {
  return readFileSync(`deploy/${file}`, 'utf8');
}

/** The port that the image listens on, unless it is told otherwise. */
const HTTP_PORT = Number(
  /TANDEM_HTTP_PORT=(\d+)/.exec(readFileSync('Dockerfile', 'utf8'))?.[1] ?? 'none is set',
);

/** The program's own, as its help lists them. */
async function commands(): Promise<Set<string | undefined>> {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await main(['node', 'tandem', '--help']);
    const help = written.mock.calls.map(([text]) => String(text)).join('');
    const listed = help.slice(help.indexOf('Commands:')).matchAll(/^ {2}([a-z]+) /gm);
    return new Set([...listed].map(([, name]) => name));
  } finally {
    written.mockRestore();
  }
}

describe('what is shipped to be deployed', () => {
  it('is looked at, all of it', () => {
    for (const name of ['compose/east.yml', 'compose/make-secrets', 'kubernetes/tandem.yaml'])
      expect(FILES).toContain(`deploy/${name}`);
  });

  it.each(FILES)('names settings that there are: %s', (file) => {
    const known = new Set(
      SETTINGS.flatMap(({ env, format }) => (format === 'redis url' ? [env, `${env}_FILE`] : [env])),
    );
    // A variable of docker-compose.yml's own is in .env.example, and a row of a certificate is no setting.
    const named = readFileSync(file, 'utf8').match(/(?<![A-Z_])TANDEM_[A-Z_]+[A-Z]/g) ?? [];
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it.each(FILES)('names commands that there are: %s', async (file) => {
    const known = await commands();
    expect(known.size).toBeGreaterThan(10);
    const named = readFileSync(file, 'utf8').matchAll(
      /(?:`|\benv |\bexec tandem )tandem ([a-z]+)|CMD \["tandem", "([a-z]+)"/g,
    );
    expect([...named].map(([, name, inList]) => name ?? inList).filter((name) => !known.has(name))).toEqual(
      [],
    );
  });

  it('asks over HTTP for what is served, at the port that is', () => {
    const source = readFileSync('src/observe/http.ts', 'utf8');
    const served = new Set([...source.matchAll(/^ {2}'(\/\w+)': \(/gm)].map(([, path]) => path));
    expect(served).toContain('/livez');
    const text = FILES.map((file) => readFileSync(file, 'utf8')).join('\n');
    const asked = [...text.matchAll(/path: (\/[a-z]+)\b/g)].map(([, path]) => path);
    expect(asked).toEqual(expect.arrayContaining(['/livez', '/readyz', '/metrics']));
    expect(asked.filter((path) => !served.has(path))).toEqual([]);
    expect(readFileSync('Dockerfile', 'utf8')).toContain(`EXPOSE ${HTTP_PORT}\n`);
  });
});

describe('the image', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8');
  const about = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, string>;

  it('says what it is, of which version, under which licence', () => {
    const label = (name: string): string | undefined =>
      new RegExp(`org\\.opencontainers\\.image\\.${name}="([^"]+)"`).exec(dockerfile)?.[1];
    expect(label('title')).toBe('Tandem');
    expect(label('description')).toContain('Two-way replication');
    expect([label('version'), label('licenses'), label('vendor')]).toEqual([
      about['version'],
      about['license'],
      about['author'],
    ]);
  });

  it('has the program on its path, runs as a user who owns nothing, and tells whether it lives', () => {
    expect(dockerfile).toMatch(/^RUN ln -s \/app\/dist\/cli\.js \/usr\/local\/bin\/tandem$/m);
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(/^HEALTHCHECK .* CMD \["tandem", "health"\]$/m);
  });
});

describe('monitoring', () => {
  it('has alert rules on metrics that exist, each with what to do', () => {
    const { groups } = parse(read('prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr, labels, annotations } of rules) {
      const named = expr.match(NAME) ?? [];
      expect(named, alert).not.toEqual([]);
      expect(
        named.filter((name) => !METRICS.has(name)),
        alert,
      ).toEqual([]);
      expect(['warning', 'critical']).toContain(labels.severity);
      expect(annotations.summary.length * annotations.description.length, alert).toBeGreaterThan(0);
    }
  });

  it('has a dashboard on metrics that exist', () => {
    const dashboard = JSON.parse(read('grafana/tandem.json')) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    const named = dashboard.panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => expr.match(NAME) ?? []),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !METRICS.has(name))).toEqual([]);
  });
});

interface ComposeService {
  command?: string[];
  environment?: Record<string, string>;
  secrets: string[];
  ports: string[];
}

interface ComposeFile {
  name: string;
  services: { redis: ComposeService; tandem: ComposeService };
  secrets: Record<string, { file: string }>;
}

const MiB = 2 ** 20;
const UNITS: Readonly<Record<string, number>> = { MiB, GiB: 1024 * MiB, mb: MiB, gb: 1024 * MiB };

function bytes(text: string): number {
  const [, number, unit = ''] = /^(\d+)([A-Za-z]+)$/.exec(text) ?? [];
  return Number(number) * (UNITS[unit] ?? Number.NaN);
}

describe.each(['east', 'west'] as const)('the Compose file of %s', (site) => {
  const other = site === 'east' ? 'west' : 'east';
  const file = parse(read(`compose/${site}.yml`)) as ComposeFile;
  const { redis, tandem } = file.services;
  const environment = tandem.environment!;
  const command = redis.command!;
  const option = (name: string): string => command[command.indexOf(`--${name}`) + 1]!;

  it('is the other one with the names changed over', () => {
    const swapped = JSON.stringify(parse(read(`compose/${other}.yml`)))
      .replaceAll(site, '@')
      .replaceAll(other, site)
      .replaceAll('@', other);
    expect(JSON.parse(swapped)).toEqual(file);
    expect([environment['TANDEM_SITE'], environment['TANDEM_PEER']]).toEqual([site, other]);
  });

  it('gives each program the secrets that it names, and no other', () => {
    const named = (values: readonly string[]): string[] =>
      values.flatMap((value) => (value.startsWith(SECRET_FOLDER) ? [value.slice(SECRET_FOLDER.length)] : []));
    expect(named(command).toSorted()).toEqual(redis.secrets.toSorted());
    expect(named(Object.values(environment)).toSorted()).toEqual(tandem.secrets.toSorted());
    const all = new Set([...redis.secrets, ...tandem.secrets]);
    expect(new Set(Object.keys(file.secrets))).toEqual(all);
    for (const [name, { file: path }] of Object.entries(file.secrets))
      expect(path).toBe(`secrets/${site}/${name}`);
  });

  it('holds no password, and lets nobody in without TLS but from its own machine', () => {
    expect(JSON.stringify(file)).not.toMatch(/password|redis:\/\//i);
    const open = [...redis.ports, ...tandem.ports].filter((port) => !port.startsWith('127.0.0.1:'));
    expect(open).toEqual([`\${PEER_PORT:-${option('tls-port')}}:${option('tls-port')}`]);
    expect(option('tls-auth-clients')).toBe('yes');
    expect(tandem.ports).toEqual([`127.0.0.1:\${HTTP_PORT:-${HTTP_PORT}}:${HTTP_PORT}`]);
  });

  it('has room in its server for what Tandem may store', () => {
    const stored = bytes(environment['TANDEM_CHANGES_BYTES']!) + bytes(environment['TANDEM_INBOX_BYTES']!);
    expect(stored + bytes(option('repl-backlog-size'))).toBeLessThan(bytes(option('maxmemory')) * 0.5);
    expect(option('maxmemory-policy')).toBe('noeviction');
  });
});

describe('make-secrets', () => {
  let dir: string;
  const make = (...args: string[]): { status: number | null; stderr: string } => {
    const ran = spawnSync(MAKE_SECRETS, ['--into', join(dir, 'made'), ...args]);
    return { status: ran.status, stderr: ran.stderr.toString() };
  };
  const made = (name: string): string => readFileSync(join(dir, 'made', name), 'utf8').trim();

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'tandem-secrets-'));
    expect(make('redis.east.example.com', '192.0.2.7:7000')).toEqual({ status: 0, stderr: '' });
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it.each(['east', 'west'])('makes every file that the Compose file of %s names', (site) => {
    const { secrets } = parse(read(`compose/${site}.yml`)) as ComposeFile;
    expect(readdirSync(join(dir, 'made', site)).toSorted()).toEqual(
      [...Object.keys(secrets), 'app-password'].toSorted(),
    );
    expect(statSync(join(dir, 'made', site)).mode & 0o077).toBe(0);
  });

  it('gives the accounts the rights that the program asks for, and no password in clear', () => {
    const { TANDEM_PAIR: pair = '' } = (parse(read('compose/east.yml')) as ComposeFile).services.tandem
      .environment!;
    const rules = Object.fromEntries(
      made('east/users.acl')
        .split('\n')
        .map((line) => /^user (\S+) (?:on #[0-9a-f]{64}|(off)) (.*)$/.exec(line)!)
        .map(([, name = '', off = 'on', rule]) => [name, `${off} ${rule}`]),
    );
    expect(rules).toMatchObject({
      default: 'off ~* &* +@all',
      tandem: `on ${localAclRule()}`,
      'tandem-peer': `on ${peerAclRule(keyNames({ prefix: 'tandem', pair }))}`,
    });
  });

  it('makes URLs that fit: each site knows its own, and what the other lets it do', () => {
    expect(made('east/local-url')).toMatch(/^redis:\/\/tandem:[0-9a-f]{48}@redis:6379$/);
    expect(made('east/peer-url')).toMatch(/^rediss:\/\/tandem-peer:[0-9a-f]{48}@192\.0\.2\.7:7000$/);
    expect(made('west/peer-url')).toMatch(
      /^rediss:\/\/tandem-peer:[0-9a-f]{48}@redis\.east\.example\.com:6380$/,
    );
    const passwords = ['east', 'west'].flatMap((site) =>
      [...(made(`${site}/local-url`) + made(`${site}/peer-url`)).matchAll(/:([0-9a-f]{48})@/g)].map(
        ([, password]) => password,
      ),
    );
    expect(new Set(passwords).size).toBe(4);
  });

  it('makes certificates for the hosts, of one authority', () => {
    const authority = new X509Certificate(made('ca.crt'));
    const [east, west] = ['east', 'west'].map((site) => new X509Certificate(made(`${site}/site.crt`)));
    expect([east!, west!].every((one) => one.verify(authority.publicKey))).toBe(true);
    expect(east!.checkHost('redis.east.example.com')).toBeDefined();
    expect(west!.checkIP('192.0.2.7')).toBeDefined();
    expect(east!.checkPrivateKey(createPrivateKey(made('east/site.key')))).toBe(true);
  });

  it('overwrites nothing, and says what it takes', () => {
    const again = make('a.example.com', 'b.example.com');
    expect(again.status).toBe(1);
    expect(again.stderr).toContain('is there');
    expect(make('a.example.com')).toMatchObject({ status: 2 });
  });
});

interface KubernetesObject {
  kind: string;
  data?: Record<string, string>;
  spec: {
    selector: { matchLabels?: Record<string, string> } & Record<string, unknown>;
    replicas?: number;
    ports?: { name: string; port: number }[];
    endpoints?: { port: string }[];
    template?: {
      metadata: { labels: object };
      spec: { terminationGracePeriodSeconds: number; containers: Container[] };
    };
  };
}

interface Container {
  ports: { name: string; containerPort: number }[];
  livenessProbe: { httpGet: { path: string; port: string } };
  readinessProbe: { httpGet: { path: string; port: string } };
  env: { name: string; valueFrom: { secretKeyRef: { name: string; key: string } } }[];
}

describe('Kubernetes', () => {
  const text = read('kubernetes/tandem.yaml');
  const objects = parseAllDocuments(text).map((one) => one.toJS() as KubernetesObject);
  const of = (kind: string): KubernetesObject => objects.find((one) => one.kind === kind)!;
  const { template, replicas } = of('StatefulSet').spec;
  const [container] = template!.spec.containers as [Container];

  it('finds its processes: two, by one label, at one port', () => {
    expect(replicas).toBe(2);
    const labels = template!.metadata.labels;
    for (const kind of ['StatefulSet', 'PodDisruptionBudget', 'ServiceMonitor'])
      expect(of(kind).spec.selector.matchLabels, kind).toEqual(labels);
    expect(of('Service').spec.selector).toEqual(labels);
    expect(container.ports).toEqual([{ name: 'http', containerPort: HTTP_PORT }]);
    expect(of('Service').spec.ports).toEqual([{ name: 'http', port: HTTP_PORT }]);
    expect(of('ConfigMap').data!['TANDEM_HTTP_PORT']).toBe(String(HTTP_PORT));
    const asked = [container.livenessProbe, container.readinessProbe].map(({ httpGet }) => httpGet.port);
    expect([...asked, of('ServiceMonitor').spec.endpoints![0]!.port]).toEqual(['http', 'http', 'http']);
  });

  it('restarts what does not live, and not what is not ready', () => {
    expect(container.livenessProbe.httpGet.path).toBe('/livez');
    expect(container.readinessProbe.httpGet.path).toBe('/readyz');
  });

  it('takes passwords from the secret that it tells how to make', () => {
    const keys = container.env.map(({ valueFrom }) => valueFrom.secretKeyRef);
    expect(keys.length).toBe(2);
    for (const { name, key } of keys) {
      expect(text).toContain(`kubectl create secret generic ${name} `);
      expect(text).toContain(`--from-literal=${key}=`);
    }
    expect(JSON.stringify(of('ConfigMap'))).not.toContain('redis:');
  });
});

describe('systemd', () => {
  const unit = read('systemd/tandem.service');
  const values = (key: string): string[] =>
    [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value);

  it('has the sections of a service', () => {
    expect(unit.match(/^\[\w+\]$/gm)).toEqual(['[Unit]', '[Service]', '[Install]']);
  });

  it('gives the program the credentials that it names', () => {
    const named = [
      ...values('Environment')
        .join(' ')
        .matchAll(/%d\/(\S+)/g),
    ].map(([, name]) => name);
    expect(named.length).toBe(2);
    expect(values('LoadCredential').map((value) => value.split(':')[0])).toEqual(named);
  });

  it('starts it again whatever has ended it, but for settings that are wrong', () => {
    expect(values('Restart')).toEqual(['always']);
    expect(values('StartLimitIntervalSec')).toEqual(['0']);
    expect(values('RestartPreventExitStatus')).toEqual([String(ERROR_CODES.CONFIG_INVALID.exitCode)]);
  });

  describe.skipIf(spawnSync('systemd-analyze', ['--version']).status !== 0)('as systemd reads it', () => {
    /** What it says of the unit. A word that it does not know it passes over, says so on standard error, and ends with 0. */
    function said(file: string): string[] {
      const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file]);
      const lines = `${stdout.toString()}${stderr.toString()}`.split('\n');
      return [
        ...lines.filter((line) => line.includes('tandem.service')),
        ...(status === 0 ? [] : [`${status}`]),
      ];
    }

    it('is understood', () => {
      expect(said('deploy/systemd/tandem.service')).toEqual([]);
    });

    it('would not pass with a word that is misspelt', () => {
      const dir = mkdtempSync(join(tmpdir(), 'tandem-unit-'));
      try {
        const file = join(dir, 'tandem.service');
        writeFileSync(file, unit.replace('NoNewPrivileges=', 'NoNewPrivilege='));
        expect(said(file)).toEqual([expect.stringContaining('NoNewPrivilege')]);
      } finally {
        rmSync(dir, { recursive: true });
      }
    });
  });
});
