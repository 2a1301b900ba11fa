import { expect, test } from 'vitest';
import { TandemError, type ErrorCode } from '../../../src/errors.js';
import { CopyFailure } from '../../../src/sync/copy-failure.js';

const fail = async (failure: CopyFailure, code: ErrorCode): Promise<void> =>
  expect(failure.of(Promise.reject(new TandemError(code, 'no')))).rejects.toMatchObject({ code });

test('a first copy has failed when its error does not pass by itself, until it is done', async () => {
  const failure = new CopyFailure();
  await fail(failure, 'UNREACHABLE');
  expect(failure.code).toBeUndefined();
  await fail(failure, 'SITES_DIFFER');
  await fail(failure, 'UNREACHABLE');
  expect(failure.code).toBe('SITES_DIFFER');
  expect(await failure.of(Promise.resolve('done'))).toBe('done');
  expect(failure.code).toBeUndefined();
});
