import { describe, expect, it } from 'vitest';
import {
  ERROR_CODES,
  TandemError,
  describeError,
  errorLine,
  passesByItself,
  withoutSecrets,
} from '../../src/errors.js';

describe('an error', () => {
  it('carries code, exit code, hint, details and cause', () => {
    const cause = new Error('connect ECONNREFUSED');
    const error = new TandemError('UNREACHABLE', 'the server is gone', {
      cause,
      hint: 'start it',
      details: { where: 'h:1' },
    });
    expect(error).toMatchObject({
      name: 'TandemError',
      code: 'UNREACHABLE',
      exitCode: 3,
      hint: 'start it',
      details: { where: 'h:1' },
      cause,
    });
  });

  it('ends a process with a code that is never that of success', () => {
    for (const { exitCode } of Object.values(ERROR_CODES)) expect(exitCode).toBeGreaterThan(0);
  });

  it('passes by itself if its code does, and never if it is a foreign one', () => {
    expect(passesByItself(new TandemError('UNREACHABLE', ''))).toBe(true);
    expect(passesByItself(new TandemError('AUTH_FAILED', ''))).toBe(false);
    expect(passesByItself(new Error('x'))).toBe(false);
  });
});

describe('the description of an error', () => {
  it("leaves out a failed command's arguments, which ioredis attaches", () => {
    const error = Object.assign(new Error('WRONGTYPE'), {
      name: 'ReplyError',
      command: { name: 'set', args: ['user:7', 'sesame'] },
    });
    expect(JSON.stringify(describeError(new TandemError('INTERNAL', 'x', { cause: error })))).not.toMatch(
      /sesame|user:7/,
    );
  });

  it('leaves out passwords in URLs, wherever they stand', () => {
    const error = new Error('cannot use redis://tandem:sesame@host:6379', {
      cause: new Error('rediss://:sesame@host'),
    });
    const text = JSON.stringify(describeError(error));
    expect(text).not.toContain('sesame');
    expect(text).toContain('redis://***@host:6379');
  });

  it('leaves out what Redis repeats of a command it does not know', () => {
    expect(withoutSecrets("ERR unknown command 'FOO', with args beginning with: 'user:7' 'sesame' ")).toBe(
      "ERR unknown command 'FOO'",
    );
  });

  it('has a stack for mistakes of the program only', () => {
    expect(describeError(new TandemError('AUTH_FAILED', 'x', { cause: new Error('y') }))).not.toHaveProperty(
      'stack',
    );
    expect(
      describeError(new TandemError('AUTH_FAILED', 'x', { cause: new Error('y') })).cause,
    ).not.toHaveProperty('stack');
    expect(describeError(new TandemError('INTERNAL', 'x', { cause: new Error('y') })).cause).toHaveProperty(
      'stack',
    );
    expect(describeError(new TypeError('x'))).toHaveProperty('stack');
  });

  it('ends although the causes go in a circle', () => {
    const error = new Error('a');
    error.cause = new Error('b', { cause: error });
    expect(errorLine(error)).toBe('a: b');
  });

  it('takes the reasons of a connection that failed at several addresses', () => {
    expect(errorLine(new AggregateError([new Error('refused ::1'), new Error('refused 127.0.0.1')]))).toBe(
      'refused ::1, refused 127.0.0.1',
    );
  });

  it('takes anything that can be thrown', () => {
    for (const thrown of [undefined, null, 'text', 7, { a: 1 }])
      expect(() => errorLine(thrown)).not.toThrow();
  });
});
