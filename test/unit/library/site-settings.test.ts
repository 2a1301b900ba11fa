import { expect, expectTypeOf, test } from 'vitest';
import { loadConfig, type Config } from '../../../src/config/config.js';
import type { SiteSettings } from '../../../src/index.js';

/** They are the command's: an embedding program has a log and a port of its own. */
type OfTheCommand = 'logPretty' | 'httpPort' | 'httpHost' | 'httpData' | 'httpTokenFile';
type Embedded = Omit<Config, OfTheCommand>;
type Group = 'tls' | 'publishChannels' | 'filters' | 'streams';
type Within<T, K extends keyof T> = keyof NonNullable<T[K]>;

test('an embedded site has the settings of the command, but for its log and its port', () => {
  expectTypeOf<keyof SiteSettings>().toEqualTypeOf<keyof Embedded>();
  expectTypeOf<Within<SiteSettings, 'tls'>>().toEqualTypeOf<Within<Embedded, 'tls'>>();
  expectTypeOf<Within<SiteSettings, 'publishChannels'>>().toEqualTypeOf<
    Within<Embedded, 'publishChannels'>
  >();
  expectTypeOf<Within<SiteSettings, 'filters'>>().toEqualTypeOf<Within<Embedded, 'filters'>>();
  expectTypeOf<Within<SiteSettings, 'streams'>>().toEqualTypeOf<Within<Embedded, 'streams'>>();
  expectTypeOf<Omit<Config, OfTheCommand | Group>>().toExtend<Omit<SiteSettings, Group>>();
});

test('settings of a program are taken in the shape of the file', () => {
  const settings = {
    pair: 'shop',
    site: 'east',
    peer: 'west',
    localUrl: 'redis://a:1',
    peerUrl: 'redis://b:1',
    changesBytes: '2MiB',
    filters: { databases: [0, 1], keysExclude: ['lock:*'] },
  } satisfies SiteSettings;
  expect(loadConfig({ settings, env: {} })).toMatchObject({
    changesBytes: 2 * 2 ** 20,
    filters: { databases: [0, 1], keysExclude: ['lock:*'], keysInclude: ['*'] },
  });
});
