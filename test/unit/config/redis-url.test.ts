import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../../src/config/redis-url.js';
import { parseTarget, whereTo } from '../../../src/config/sentinel-url.js';
import { withoutSecrets } from '../../../src/errors.js';

describe('a Redis URL', () => {
  it.each([
    ['redis://east.example', { host: 'east.example', port: 6379, tls: false }],
    ['redis://east.example:7000/0', { host: 'east.example', port: 7000, tls: false }],
    ['redis://:p%40ss%2F@10.0.0.1', { host: '10.0.0.1', port: 6379, password: 'p@ss/', tls: false }],
    [
      'rediss://tandem:sesame@[::1]:6380/',
      { host: '::1', port: 6380, username: 'tandem', password: 'sesame', tls: true },
    ],
  ])('%s is understood', (url, address) => {
    expect(parseRedisUrl(url)).toEqual(address);
  });

  it.each([
    ['east.example:6379', /must/],
    ['', /must be a URL/],
    ['http://east.example', /redis:\/\//],
    ['redis://', /host/],
    ['redis://east.example/2', /database/],
    ['redis://east.example?x=1', /parameters/],
    ['redis://tandem@east.example', /password/],
    ['redis://:%ZZ@east.example', /percent-encoded/],
    ['"redis://east.example"', /quotation marks/],
    ['redis://tandem:p#ss@east.example:6379', /as %2F %3F %23/],
    ['redis://tandem/x@east.example', /as %2F %3F %23/],
    ['redis://east.example:99999', /port is a number up to 65535/],
    ['redis://east.example:port', /port is a number up to 65535/],
    ['redis://east.example:0', /port from 1/],
    ['redis://a:6379,b:6379', /one server.*sentinel:/],
    ['redis://fd00::2:6379', /IPv6 address in brackets/],
    ['redis://${REDIS_HOST}:6379', /must name a host of letters/],
    ['redis://$REDIS_HOST:6379', /must name a host of letters/],
  ])('"%s" is refused', (url, reason) => {
    expect(() => parseRedisUrl(url)).toThrow(reason);
  });

  it('that cannot be understood is answered with the form it should have, as it is, and with nothing of itself', () => {
    const messageOf = (url: string): string => {
      try {
        parseTarget(url);
      } catch (error) {
        return withoutSecrets((error as Error).message);
      }
      return 'none';
    };
    expect(messageOf('redis://tandem:se#same@east.example')).toContain(
      'redis://user:password@host:6379: write /',
    );
    expect(messageOf('sentinel://tandem:sesame@a/b/c')).toContain('sentinel://user:password@host:26379');
    for (const url of ['redis://tandem:se#same@h', 'redis://tandem:sesame@h:x', '"redis://:sesame@h"'])
      expect(messageOf(url)).not.toMatch(/same|tandem/);
    expect(withoutSecrets('redis://user:password1@host and redis://users:password@host')).toBe(
      'redis://***@host and redis://***@host',
    );
  });

  it('is shown without credentials', () => {
    expect(whereTo('redis://tandem:sesame@east.example:7000')).toBe('east.example:7000');
    expect(whereTo('redis://[::1]')).toBe('[::1]:6379');
  });
});

describe('a Sentinel URL', () => {
  const sentinel = (host: string, port = 26_379): object => ({ host, port, tls: false });

  it.each([
    ['sentinel://a/shop', { sentinels: [sentinel('a')], primaryName: 'shop', tls: false }],
    [
      'sentinel://tandem:p%40ss%3A/w@a:1,[::1]:2,10.0.0.1/shop'.replace('/w', '%2Fw'),
      {
        sentinels: [sentinel('a', 1), sentinel('::1', 2), sentinel('10.0.0.1')],
        primaryName: 'shop',
        username: 'tandem',
        password: 'p@ss:/w',
        tls: false,
      },
    ],
    [
      'sentinels://:sesame@a/shop?sentinelUser=eye&sentinelPassword=p%26ss',
      {
        sentinels: [{ host: 'a', port: 26_379, tls: true, username: 'eye', password: 'p&ss' }],
        primaryName: 'shop',
        password: 'sesame',
        tls: true,
      },
    ],
  ])('%s is understood', (url, target) => {
    expect(parseTarget(url)).toEqual(target);
  });

  it.each([
    ['sentinel://a:26379', /name the Sentinels know/],
    ['sentinel://a,,b/shop', /must name hosts/],
    ['sentinel:///shop', /must name hosts/],
    ['sentinel://a:99999/shop', /must name hosts/],
    ['sentinel://a/shop/0', /must be a URL such as sentinel/],
    ['sentinel://a/shop?db=1', /no parameters but/],
    ['sentinel://a/shop?sentinelUser=eye', /sentinelPassword/],
    ['sentinel://tandem@a/shop', /must have a password/],
    ['sentinel://:%ZZ@a/shop', /percent-encoded/],
  ])('"%s" is refused', (url, reason) => {
    expect(() => parseTarget(url)).toThrow(reason);
  });

  it('is shown without credentials', () => {
    const url = 'sentinel://tandem:sesame@b,a:1/shop?sentinelPassword=sesame';
    expect(whereTo(url)).toBe('shop at the Sentinels a:1, b:26379');
    expect(withoutSecrets(`cannot use ${url}`)).not.toContain('sesame');
  });
});
