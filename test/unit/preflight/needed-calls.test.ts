import { readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isContainer } from '../../../src/redis-commands/command-table.js';
import { scriptSource, type ScriptName } from '../../../src/lua/scripts.js';
import {
  COMMAND_LINE_CALLS,
  FLUSH_CALLS,
  FUNCTION_CALLS,
  JOB_CALLS,
  PEER_RIGHTS,
  REPLICATION_CALLS,
  SINCE,
  TAKEOVER_CALLS,
} from '../../../src/preflight/needed-calls.js';

const SCRIPTS = readdirSync('src/lua', { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.lua') && !file.endsWith('.part.lua'))
  .map((file) => basename(file, '.lua') as ScriptName);

/** The scripts that a file of the program sends. */
function sentBy(file: string): ScriptName[] {
  const calls = readFileSync(file, 'utf8').matchAll(
    /(?:\b(?:runScript|run)\(\s*\w+,|scriptSource\()\s*'([\w-]+)'/g,
  );
  return [...calls].map(([, name]) => name as ScriptName);
}

/** The commands a script calls by name, in lower case; those of a container as an ACL rule names them, `xinfo|stream`. */
function calledBy(script: ScriptName): string[] {
  const source = scriptSource(script);
  const calls = source.matchAll(/redis\.p?call\(\s*['"](\w+)['"](?:,\s*['"](\w+)['"])?/g);
  // In a table of commands by type.
  const chosen = source.matchAll(/\w+ = '([A-Z]{3,})'/g);
  return [...calls, ...chosen].map(([, name = '', second = '']) => {
    const isHalf = isContainer(name) || ['OBJECT', 'PUBSUB', 'XINFO', 'MEMORY', 'CONFIG'].includes(name);
    return (isHalf ? `${name}|${second}` : name).toLowerCase();
  });
}

/**
 * Calls whose command is not written there: one out of a table of the script's, or a command of the users' data, to which rights are
 * looked at anyway.
 */
const HANDED_ON: Readonly<Record<string, readonly ScriptName[]>> = {
  'redis.call(sizes[kind],': ['ask-doubted-expiry'],
  'redis.call(command,': ['compare-keys', 'digest-keys', 'list-members', 'look-at-key', 'splice-list'],
  'redis.call(ASSEMBLED[kind].length,': [
    'assemble-part',
    'copy-keys',
    'copy-part',
    'look-at-assembly',
    'place-assembled',
    'say-assembled',
  ],
  'redis.call(ASSEMBLED[ARGV[3]].add,': ['assemble-part'],
  'redis.call(unpack(ARGV)': ['replace-string'],
  'redis.pcall(unpack(parts)': ['restore-value'],
  'redis.pcall(unpack(ARGV,': ['attempt-commands'],
  'redis.pcall(unpack(own)': ['run-again-on-field'],
  'redis.call(unpack(command)': ['write-on-field'],
  'redis.call(unpack(words)': ['set-fields'],
};

describe('the commands that the rights are looked at for', () => {
  const local = { ...REPLICATION_CALLS, ...FLUSH_CALLS, ...TAKEOVER_CALLS, ...FUNCTION_CALLS };

  it('are all that the scripts call', () => {
    expect(SCRIPTS.length).toBeGreaterThan(30);
    const called = SCRIPTS.flatMap((script) => calledBy(script).map((name) => ({ script, name })));
    expect(called.length).toBeGreaterThan(200);
    expect(called.filter(({ name }) => !(name in local))).toEqual([]);
  });

  it('are all that the scripts at the peer call, and the account there has the rights to', () => {
    const files = ['courier', 'flight', 'handshake', 'peer-word'].map((name) => `src/outbound/${name}.ts`);
    const scripts = files.flatMap(sentBy);
    expect(scripts).toEqual(['deliver-heartbeat', 'deliver-batch', 'may-scan', 'tell-peer']);
    const called = new Set(scripts.flatMap(calledBy));
    expect([...called].filter((name) => !(PEER_RIGHTS as readonly string[]).includes(name))).toEqual([]);
  });

  it('leave out only what scripts are handed', () => {
    for (const script of SCRIPTS) {
      const indirect = scriptSource(script).match(/redis\.p?call\(\s*[^'"\s)][^)\n]*?[,)]/g) ?? [];
      for (const call of indirect) expect(HANDED_ON[call] ?? [], `${script}: ${call}`).toContain(script);
    }
  });

  it('are in one list each, but for what two kinds of work need', () => {
    const names = [local, JOB_CALLS].flatMap((calls) => Object.keys(calls));
    expect(names.length).toBe(new Set(names).size);
    for (const name of Object.keys(COMMAND_LINE_CALLS)) expect(name in local).toBe(false);
    for (const name of Object.keys(SINCE)) expect(name in local).toBe(true);
  });
});
