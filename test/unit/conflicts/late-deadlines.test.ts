import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DUE_MS } from '../../../src/conflicts/life-memory.js';
import { Sent } from '../../../src/conflicts/sent.js';
import { scriptSource } from '../../../src/lua/scripts.js';
import { payloadCommands } from '../../../src/protocol/payload.js';
import { resp } from '../redis-commands/chunks.js';

const NOW = 1_000_000;

/** What is sent for a command. */
function sent(text: string): string[] {
  const one = new Sent({
    keys: { applied: 'applied', out: 'out' },
    onEntries: { trimTo: () => [] },
    nowMs: NOW,
    fields: { asSent: ({ bytes }) => [bytes] },
    timestamp: 1,
  });
  const [, command] = [...payloadCommands(resp('SELECT 0', text))];
  one.attempt(command!, [command!.args], [{ database: 0, key: Buffer.from('k') }]);
  const script = scriptSource('set-deadline');
  return [...payloadCommands(Buffer.concat(one.all().payload))].map(({ args }) =>
    args.map((arg) => (arg.toString() === script ? 'set-deadline' : arg.toString())).join(' '),
  );
}

test('a deadline that may be past when it is carried out is set ahead, also that of a value', () => {
  expect(sent(`PEXPIREAT k ${NOW - 1}`)).toEqual([`EVAL set-deadline 1 k ${NOW - 1}`]);
  expect(sent(`PEXPIREAT k ${NOW + 1000}`)).toEqual([`EVAL set-deadline 1 k ${NOW + 1000}`]);
  expect(sent(`SET k v PXAT ${NOW - 1}`)).toEqual(['SET k v', `EVAL set-deadline 1 k ${NOW - 1}`]);
});

test('one that is far from now stays as it is', () => {
  expect(sent(`PEXPIREAT k ${NOW + 1001}`)).toEqual([`PEXPIREAT k ${NOW + 1001}`]);
  expect(sent(`SET k v PXAT ${NOW + 1001}`)).toEqual([`SET k v PXAT ${NOW + 1001}`]);
  expect(sent('PERSIST k')).toEqual(['PERSIST k']);
});

test('what is built on such a key is decided as if it ended no later than the server lets it', () => {
  const life = readFileSync(new URL('../../../src/lua/parts/life.part.lua', import.meta.url), 'utf8');
  expect(Number(/AHEAD_MS = (\d+)/.exec(life)![1])).toBeGreaterThanOrEqual(DUE_MS);
});
