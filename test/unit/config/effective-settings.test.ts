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

const shown = (flags?: ReadonlyMap<string, string>): Map<string, [unknown, string]> =>
  new Map(
    effectiveSettings({ env: ENV, ...(flags ? { flags } : {}) }).map(({ path, value, from }) => [
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
