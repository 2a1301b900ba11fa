import { expect, it } from 'vitest';
import { effectiveSettings } from '../../../src/config/config.js';
import { SETTINGS } from '../../../src/config/settings.js';

const ENV = {
  TANDEM_PAIR: 'orders',
  TANDEM_SITE: 'east',
  TANDEM_PEER: 'west',
  TANDEM_LOCAL_URL: 'redis://:sesame@east.example:6379',
  TANDEM_PEER_URL: 'rediss://tandem:ses:am@e@west.example:6380',
  TANDEM_LEASE_MS: '7000',
};

const shown = (
  flags?: ReadonlyMap<string, string>,
  env: Record<string, string> = ENV,
): Map<string, [unknown, string]> =>
  new Map(
    effectiveSettings({ env, ...(flags ? { flags } : {}) }).settings.map(({ path, value, from }) => [
      path,
      [value, from],
    ]),
  );

it('every setting is shown as it counts, with where it comes from', () => {
  const settings = shown(new Map([['batchDelayMs', '3']]));
  expect([...settings.keys()]).toEqual(SETTINGS.map(({ path }) => path));
  expect(settings.get('leaseMs')).toEqual([7000, 'TANDEM_LEASE_MS']);
  expect(settings.get('batchDelayMs')).toEqual([3, '--batch-delay-ms']);
  expect(settings.get('flush')).toEqual(['ignore', 'default']);
  expect(settings.get('tls.rejectUnauthorized')).toEqual([true, 'default']);
});

it('no password is shown', () => {
  const settings = shown();
  expect(settings.get('localUrl')![0]).toBe('redis://:***@east.example:6379');
  expect(settings.get('peerUrl')![0]).toBe('rediss://tandem:***@west.example:6380');
});

it('those that are missing are named, and the others are shown all the same', () => {
  const { TANDEM_LEASE_MS, TANDEM_PAIR } = ENV;
  const env = { TANDEM_LEASE_MS, TANDEM_PAIR };
  const settings = shown(undefined, env);
  expect(settings.get('pair')).toEqual(['orders', 'TANDEM_PAIR']);
  expect(settings.get('leaseMs')).toEqual([7000, 'TANDEM_LEASE_MS']);
  for (const path of ['site', 'peer', 'localUrl', 'peerUrl'])
    expect(settings.get(path)).toEqual([null, 'missing']);
  expect(settings.get('streamUrl')).toEqual([null, 'default']);
  const { error } = effectiveSettings({ env });
  expect(error?.code).toBe('CONFIG_INVALID');
  expect(error?.message.match(/- \w+/g)).toEqual(['- site', '- peer', '- localUrl']);
});

it("the other site's URL may be missing", () => {
  const { TANDEM_PEER_URL: _, ...env } = ENV;
  expect(effectiveSettings({ env }).error).toBeUndefined();
  expect(shown(undefined, env).get('peerUrl')).toEqual([null, 'missing']);
});

it('nothing is shown of a URL that is wrong, and a number that is wrong is shown', () => {
  const env = { ...ENV, TANDEM_LOCAL_URL: 'redis:/own:sesame@h', TANDEM_LEASE_MS: 'long' };
  const settings = shown(undefined, env);
  expect(settings.get('localUrl')).toEqual(['***', 'TANDEM_LOCAL_URL']);
  expect(settings.get('leaseMs')).toEqual(['long', 'TANDEM_LEASE_MS']);
  const { error } = effectiveSettings({ env });
  expect(error?.message).not.toContain('sesame');
  expect(error?.message).toMatch(/leaseMs \(TANDEM_LEASE_MS\): must be a whole number/);
});
