import { describe, expect, it } from 'vitest';
import { backoffDelayMs, hostAndPort, parseRedisUrl } from '../../../src/redis/connect.js';

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
  ])('"%s" is refused', (url, reason) => {
    expect(() => parseRedisUrl(url)).toThrow(reason);
  });

  it('is shown without credentials', () => {
    expect(hostAndPort('redis://tandem:sesame@east.example:7000')).toBe('east.example:7000');
    expect(hostAndPort('redis://[::1]')).toBe('[::1]:6379');
  });
});

describe('the pause before the next attempt', () => {
  it('doubles from the shortest to the longest and is at least half of that', () => {
    for (let attempt = 1; attempt < 2000; attempt++) {
      const fullMs = Math.min(5000, 50 * 2 ** Math.min(attempt - 1, 20));
      const delayMs = backoffDelayMs({ attempt, minMs: 50, maxMs: 5000 });
      expect(delayMs).toBeGreaterThanOrEqual(Math.floor(fullMs / 2));
      expect(delayMs).toBeLessThanOrEqual(fullMs);
    }
  });
});
