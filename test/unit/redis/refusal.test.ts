import { describe, expect, it } from 'vitest';
import { TandemError } from '../../../src/errors.js';
import { refusalOf } from '../../../src/redis/refusal.js';

function reply(message: string, command = 'set'): Error {
  return Object.assign(new Error(message), {
    name: 'ReplyError',
    command: { name: command, args: ['user:7', 'sesame'] },
  });
}

function system(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

describe('what a server or a socket says', () => {
  it.each([
    [reply('NOAUTH Authentication required.'), 'AUTH_FAILED'],
    [reply('WRONGPASS invalid username-password pair'), 'AUTH_FAILED'],
    [reply('ERR invalid password'), 'AUTH_FAILED'],
    [reply("NOPERM User x has no permissions to run the 'set' command"), 'NO_PERMISSION'],
    [
      reply(
        "ERR The user executing the script can't run this command or subcommand script: 0a1b, on @user_script:2.",
      ),
      'NO_PERMISSION',
    ],
    [
      reply("ERR ACL failure in script: User x has no permissions to run the 'rpush' command script: 0a1b"),
      'NO_PERMISSION',
    ],
    [reply('NOSCRIPT No matching script. Please use EVAL.'), 'SERVER_BUSY'],
    [reply('LOADING Redis is loading the dataset in memory'), 'SERVER_BUSY'],
    [reply("OOM command not allowed when used memory > 'maxmemory'."), 'SERVER_BUSY'],
    [reply("READONLY You can't write against a read only replica."), 'SERVER_BUSY'],
    [
      reply(
        "ERR Error running script (call to f_b9): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.",
      ),
      'SERVER_BUSY',
    ],
    [
      reply(
        "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
      ),
      'SERVER_BUSY',
    ],
    [
      Object.assign(reply('EXECABORT Transaction discarded because of previous errors.'), {
        previousErrors: [reply("OOM command not allowed when used memory > 'maxmemory'.")],
      }),
      'SERVER_BUSY',
    ],
    [reply('ERR max number of clients reached'), 'SERVER_BUSY'],
    [reply('MOVED 866 10.0.0.1:6379'), 'UNSUPPORTED_MODE'],
    [reply("ERR unknown command 'FOO', with args beginning with: 'a'"), 'UNSUPPORTED_VERSION'],
    [reply('ERR something else'), 'INTERNAL'],
    [system('ENOTFOUND'), 'UNREACHABLE'],
    [system('ECONNREFUSED'), 'UNREACHABLE'],
    [system('ECONNRESET'), 'UNREACHABLE'],
    [system('ETIMEDOUT'), 'TIMEOUT'],
    [new Error('Command timed out'), 'TIMEOUT'],
    [new Error("Stream isn't writeable and enableOfflineQueue options is false"), 'UNREACHABLE'],
    [system('ERR_SSL_WRONG_VERSION_NUMBER'), 'TLS_FAILED'],
    [system('DEPTH_ZERO_SELF_SIGNED_CERT'), 'TLS_FAILED'],
    ['not an error', 'INTERNAL'],
  ])('%s becomes %s', (thrown, code) => {
    const error = refusalOf(thrown, 'east.example:6379');
    expect(error.code).toBe(code);
    expect(error.message).toContain('east.example:6379');
    expect(error.message).not.toMatch(/user:7|sesame/);
  });

  it('says of an account that is refused that it may have gone with a restart', () => {
    const { hint } = refusalOf(reply('WRONGPASS invalid username-password pair'), 'h:1');
    expect(hint).toMatch(
      /^Check the user name and the password .* without aclfile, .* does not outlive a restart/,
    );
  });

  it.each(['EACCES', 'EROFS', 'ENOSPC'])(
    'does not take a file that is refused (%s) for the network',
    (code) => {
      const thrown = Object.assign(new Error(`${code}: refused, open 'list'`), {
        code,
        syscall: 'open',
        path: 'list',
      });
      expect(refusalOf(thrown, 'east.example:6379')).toMatchObject({
        code: 'INTERNAL',
        message: `a file cannot be used: ${code}: refused, open 'list'`,
      });
    },
  );

  it.each([
    ["NOPERM User x has no permissions to run the 'eval' command", 'EVAL'],
    [
      "ERR The user executing the script can't run this command or subcommand script: 0a1b, on @user_script:2.",
      "a command that a script of Tandem's runs",
    ],
    [
      "ERR ACL failure in script: User x has no permissions to run the 'rpush' command script: 0a1b",
      "RPUSH that a script of Tandem's runs",
    ],
    [
      'NOPERM this user has no permissions to access one of the keys used as arguments',
      'EVAL on a key that it uses',
    ],
  ])('names the right that is missing: %s', (text, right) => {
    expect(refusalOf(reply(text, 'eval'), 'h:1').message).toBe(`h:1 does not allow ${right}`);
  });

  it.each([
    ["NOPERM User x has no permissions to run the 'lpush' command", 'LPUSH'],
    [
      "EXECABORT Transaction discarded because of: NOPERM User x has no permissions to run the 'lpush' command",
      'LPUSH',
    ],
    ["NOPERM this user has no permissions to run the 'lpush' command or its subcommand", 'LPUSH'],
    [
      "ERR ACL failure in script: User x has no permissions to run the 'rpush' command script: 0a1b",
      "RPUSH that a script of Tandem's runs",
    ],
    ['NOPERM No permissions to access a key', 'a command of a transaction on a key that it uses'],
    [
      "NOPERM No permissions to access the 'jobs' channel",
      'a command of a transaction on a channel that it uses',
    ],
  ])('names what is missing of a transaction: %s', (text, right) => {
    expect(refusalOf(reply(text, 'exec'), 'h:1')).toMatchObject({
      code: 'NO_PERMISSION',
      message: `h:1 does not allow ${right}`,
    });
  });

  it.each([
    ['OOM command not allowed', /^Its memory is full: raise maxmemory/],
    ['READONLY You cannot write against a read only replica.', /^It is a replica/],
    ['MISCONF Redis is configured to save RDB snapshots', /^It cannot save its data/],
    ['TRYAGAIN Multiple keys', /^It is tried again until the server is ready/],
  ])('says who has to do something: %s', (text, hint) => {
    expect(refusalOf(reply(text), 'h:1').hint).toMatch(hint);
  });

  it('stays what it is if it is an error of Tandem already', () => {
    const error = new TandemError('CLOSED', 'x');
    expect(refusalOf(error, 'h:1')).toBe(error);
  });
});
