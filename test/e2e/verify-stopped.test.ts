import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { settingsOf } from './long-jobs.js';
import { statusOf } from './observe.js';
import { runCli, startCli } from './run-cli.js';

let pair: Pair;
beforeAll(async () => {
  // A comparison that lasts longer than the test looks at it.
  pair = await startPair({ env: { TANDEM_SYNC_KEYS_PER_SECOND: '100' } });
  const names = Array.from({ length: 20_000 }, (_, i) => [`key:${i}`, 'a']);
  await pair.east.redis.mset(...names.flat());
  await quiet(pair);
});
afterAll(() => pair.close());

test('a comparison that its own command gives up leaves no failed job behind', async () => {
  const { east } = pair;
  const verify = startCli(['verify'], settingsOf(pair, east));
  await until('the comparison to be at work', async () => (await statusOf(east)).jobs.active === 1);
  const { code } = await verify.end('SIGINT');
  expect(code).toBe(2);
  const jobs = await runCli(['jobs', '--json'], settingsOf(pair, east));
  const listed = (JSON.parse(jobs.stdout) as { jobs: { task: string; state: string }[] }).jobs;
  expect(listed.filter(({ task }) => task === 'verify')).toEqual([]);
  await until('the counts to say so', async () => {
    const { active, failed } = (await statusOf(east)).jobs;
    return active === 0 && failed === 0;
  });
});

test("a peer whose Redis cannot be reached is named with its address and the system's reason, and nothing is left to wait for", async () => {
  const { east, west } = pair;
  await west.server.stop();
  await until('it to be noticed', async () => (await statusOf(east)).outbound.state === 'backing-off');
  const { code, stdout, stderr } = await runCli(['verify'], settingsOf(pair, east));
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(
    `west cannot be reached: 127.0.0.1:${west.server.port} refuses the connection (ECONNREFUSED)`,
  );
  const jobs = await runCli(['jobs', '--json'], settingsOf(pair, east));
  expect(jobs.stdout).not.toContain('"task":"verify"');
});
