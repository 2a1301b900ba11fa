import { expect, test } from 'vitest';
import { removes } from '../../../src/conflicts/attempts.js';
import { scriptSource } from '../../../src/lua/scripts.js';

test('a command that removes is told in whatever case a client has written it', () => {
  for (const name of ['DEL', 'del', 'Unlink', 'hdel'])
    expect([name, removes([Buffer.from(name), 'k'])]).toEqual([name, true]);
  expect(removes(['EVAL', scriptSource('end-fields'), 1, 'k'])).toBe(true);
  for (const name of ['SET', 'hset']) expect(removes([name, 'k'])).toBe(false);
});
