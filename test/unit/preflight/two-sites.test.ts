import { expect, test } from 'vitest';
import { loadConfig, type Config } from '../../../src/config/config.js';
import { publishedFilters } from '../../../src/preflight/published.js';
import { judgeFilters, judgePreference } from '../../../src/preflight/two-sites.js';

function configOf(site: string, peer: string, prefer?: string): Config {
  const env = {
    TANDEM_PAIR: 'orders',
    TANDEM_SITE: site,
    TANDEM_PEER: peer,
    TANDEM_LOCAL_URL: `redis://${site}.example`,
    TANDEM_PEER_URL: `redis://${peer}.example`,
    ...(prefer === undefined ? {} : { TANDEM_PREFER: prefer }),
  };
  return loadConfig({ env });
}

/** What east is told, and what west has published. */
function judged(east: string | undefined, west: string | undefined): ReturnType<typeof judgePreference> {
  const filters = publishedFilters(configOf('west', 'east', west));
  return judgePreference(configOf('east', 'west', east), { filters, commands: null });
}

test('one site whose values stay, or none, is the same at both sites', () => {
  expect(judged('west', 'west')).toEqual({ name: 'prefer', outcome: 'pass', message: 'west, at both sites' });
  expect(judged(undefined, undefined)).toMatchObject({ outcome: 'pass', message: 'not set, at both sites' });
});

test.each([
  ['east', 'west', 'east at east, west at west'],
  ['west', undefined, 'west at east, not set at west'],
  [undefined, 'east', 'not set at east, east at west'],
])('%s here and %s there is warned of', (east, west, told) => {
  expect(judged(east, west)).toMatchObject({
    outcome: 'warn',
    message: `not the same at both sites: ${told}`,
    advice: expect.stringContaining('TANDEM_PREFER') as string,
  });
});

test('a peer that has not told, or not of this, is not judged, and it is no filter', () => {
  const config = configOf('east', 'west', 'east');
  expect(judgePreference(config, { filters: null, commands: null })).toBeUndefined();
  const told = publishedFilters(configOf('west', 'east'));
  const older = told.replace(/ prefer=\w+/, '');
  expect(older).not.toBe(told);
  expect(judgePreference(config, { filters: older, commands: null })).toBeUndefined();
  for (const filters of [told, older])
    expect(judgeFilters(config, { filters, commands: null })).toMatchObject({ outcome: 'pass' });
});
