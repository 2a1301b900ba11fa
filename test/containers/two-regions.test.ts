/** deploy/compose/east.yml and west.yml as two regions run them, each a project of its own, which reach each other at this machine. */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/wait.js';
import { type Ran, SITES, type SiteName, copyClone, runDocker } from './stack.js';

const CROSSED = { deadlineMs: 30_000 };
const project = `tandem-regions-${randomBytes(4).toString('hex')}`;
const dir = mkdtempSync(join(tmpdir(), 'tandem-clone-'));
const folder = join(dir, 'deploy/compose');
const clients = {} as Record<SiteName, Redis>;
const published = {} as Record<SiteName, Record<'APP_PORT' | 'PEER_PORT' | 'HTTP_PORT', string>>;

/** Compose with the file of a site, as it stands; beside it only the image's name, and the network it is built with. */
async function compose(site: SiteName, ...args: string[]): Promise<Ran> {
  const files = ['--file', join(folder, `${site}.yml`), '--file', join(folder, 'beside.yml')];
  const options = ['--ansi', 'never', '--project-name', `${project}-${site}`, ...files];
  return runDocker(['compose', ...options, ...args], { cwd: dir, env: published[site] });
}

async function expectCompose(site: SiteName, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await compose(site, ...args);
  expect(code, `docker compose ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

/** Where a container finds this machine. */
async function gateway(): Promise<string> {
  const format = '{{with index .IPAM.Config 0}}{{.Gateway}} {{.Subnet}}{{end}}';
  const { stdout } = await runDocker(['network', 'inspect', 'bridge', '--format', format], { cwd: dir });
  const [, address = '', first] = /^(\S*) (\d+\.\d+\.\d+)\./.exec(stdout)!;
  // An engine does not always tell it. Then it is the first address of the network.
  return address === '' ? `${first}.1` : address;
}

function clientOf(site: SiteName): Redis {
  const password = readFileSync(join(folder, 'secrets', site, 'app-password'), 'utf8').trim();
  const port = Number(published[site].APP_PORT);
  const client = new Redis({ host: '127.0.0.1', port, username: 'app', password, protocol: 2 });
  client.on('error', () => undefined);
  return client;
}

beforeAll(async () => {
  copyClone(dir);
  writeFileSync(
    join(folder, 'beside.yml'),
    `services:\n  tandem:\n    image: ${project}\n    build: { network: host }\n`,
  );
  for (const site of SITES) {
    const [app, peer, http] = [await freePort(), await freePort(), await freePort()];
    published[site] = { APP_PORT: String(app), PEER_PORT: String(peer), HTTP_PORT: String(http) };
  }
  const host = await gateway();
  const hosts = SITES.map((site) => `${host}:${published[site].PEER_PORT}`);
  execFileSync(join(folder, 'make-secrets'), hosts, { cwd: dir });
  for (const site of SITES) {
    await expectCompose(site, 'up', '--detach', '--build', '--wait');
    clients[site] = clientOf(site);
  }
});

afterAll(async () => {
  for (const client of Object.values(clients)) client.disconnect();
  for (const site of SITES) await compose(site, 'down', '--volumes', '--remove-orphans', '--timeout', '5');
  await runDocker(['rmi', '--force', project], { cwd: dir });
  rmSync(dir, { recursive: true, force: true });
});

test.each(SITES)('Compose takes the file of %s without a word', async (site) => {
  const { code, stderr } = await compose(site, 'config', '--quiet');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('writes cross between the regions, both ways', async () => {
  const { east, west } = clients;
  await Promise.all([east.incrby('sum', 7), west.incrby('sum', 5)]);
  await east.multi().set('a', '1').rpush('list', 'x', 'y').exec();
  await until(
    'both to be equal',
    async () => {
      await expectEqual(east, west);
      return (await west.get('sum')) === '12' && (await west.exists('a', 'list')) === 2;
    },
    CROSSED,
  );
});

test.each(SITES)('the check passes at %s, and warns of nothing', async (site) => {
  // A server that has no turn for seconds, on a machine that is busy with other things, is found not to answer.
  await until(
    'a check that finds nothing',
    async () => {
      const { stdout } = await compose(site, 'exec', '-T', 'tandem', 'tandem', 'check', '--json');
      const { findings } = JSON.parse(stdout) as { findings: { outcome: string }[] };
      expect(findings.filter(({ outcome }) => outcome !== 'pass')).toEqual([]);
      return findings.length > 10;
    },
    CROSSED,
  );
});

test.each(SITES)('the process of %s is healthy, answers at its port, and is labelled', async (site) => {
  const id = (await expectCompose(site, 'ps', '--quiet', 'tandem')).trim();
  const format = '{{.State.Health.Status}} {{index .Config.Labels "org.opencontainers.image.title"}}';
  const { stdout } = await runDocker(['inspect', '--format', format, id], { cwd: dir });
  expect(stdout.trim()).toBe('healthy Tandem');
  const url = `http://127.0.0.1:${published[site].HTTP_PORT}/readyz`;
  const isReady = async (): Promise<boolean> => (await fetch(url, { headers: { connection: 'close' } })).ok;
  await until('it to be ready', isReady, CROSSED);
});
