import { expect, test } from 'vitest';
import { payloadCommands, type PayloadCommand } from '../../../src/protocol/payload.js';
import { Sent } from '../../../src/conflicts/sent.js';
import { encodeCommand, type Argument } from '../../../src/redis-commands/encode-command.js';
import { scriptSource } from '../../../src/lua/scripts.js';

const LIST = { database: 0, key: Buffer.from('list') };
const HASH = { database: 0, key: Buffer.from('hash') };

function command(line: string, index: number): PayloadCommand {
  const [made] = payloadCommands(encodeCommand(line.split(' ')));
  return { ...made!, index };
}

/** What is sent, as lines; a script by its name, and for `attempt-commands.lua` the commands it runs. */
function lines(sent: Sent): string[] {
  return sent.all().payload.map((bytes) => {
    const [{ args }] = payloadCommands(bytes) as unknown as [PayloadCommand];
    const words = args.map(String);
    if (words[0] !== 'EVAL') return words.join(' ');
    const isAttempt = words[1] === scriptSource('attempt-commands');
    if (!isAttempt) return `splice: ${words.slice(4).join(' ')}`;
    const commands: string[] = [];
    for (let at = 4; at < words.length; at += Number(words[at]) + 1)
      commands.push(words.slice(at + 1, at + 1 + Number(words[at])).join(' '));
    return `attempt: ${commands.join('; ')}`;
  });
}

test('what many commands come to on several keys goes in one script for each way it is sent', () => {
  const sent = new Sent({
    keys: { applied: 'applied', out: 'out' },
    onEntries: { trimTo: () => [] },
    nowMs: 0,
    fields: { asSent: ({ bytes }) => [bytes] },
    timestamp: 1,
  });
  for (let i = 0; i < 3; i++) {
    const set = command(`HSET hash f ${i}`, i * 3);
    sent.attempt(set, [set.args], [HASH]);
    sent.insert(command(`RPUSH list ${i}`, i * 3 + 1), LIST, { at: i, values: [String(i)] });
    const other = command(`SET other ${i}`, i * 3 + 2);
    sent.send(other, other.bytes, [{ database: 0, key: Buffer.from('other') }]);
  }
  expect(lines(sent)).toEqual([
    'SET other 0',
    'SET other 1',
    'SET other 2',
    'splice: insert 0 3 0 1 2',
    'attempt: HSET hash f 0; HSET hash f 1; HSET hash f 2',
  ]);
  const { origins, gathered } = sent.all();
  expect(origins).toEqual([2, 5, 8, 1, 0]);
  expect(gathered).toEqual(
    new Map([
      [3, [4, 7]],
      [4, [3, 6]],
    ]),
  );
});

test('what is done to one key keeps its order, however it is sent', () => {
  const sent = new Sent({
    keys: { applied: 'applied', out: 'out' },
    onEntries: { trimTo: () => [] },
    nowMs: 0,
    fields: { asSent: ({ bytes }) => [bytes] },
    timestamp: 1,
  });
  const push = command('RPUSH list a', 0);
  sent.insert(push, LIST, { at: 0, values: ['a'] });
  sent.attempt(command('RPUSH list b', 1), [['RPUSH', LIST.key, 'b']], [LIST]);
  sent.insert(command('RPUSH list c', 2), LIST, { at: 2, values: ['c'] });
  const pop = command('LPOP list', 3);
  sent.send(pop, pop.bytes, [LIST]);
  sent.attempt(
    command('DEL list', 4),
    [
      ['RPUSH', LIST.key, 'd'],
      ['DEL', LIST.key],
    ],
    [LIST],
  );
  expect(lines(sent)).toEqual([
    'splice: insert 0 1 a',
    'attempt: RPUSH list b',
    'splice: insert 2 1 c',
    'LPOP list',
    'attempt: RPUSH list d',
    'DEL list',
  ]);
});

test('nothing waits behind a command that may have to do with any key', () => {
  const sent = new Sent({
    keys: { applied: 'applied', out: 'out' },
    onEntries: { trimTo: () => [] },
    nowMs: 0,
    fields: { asSent: ({ bytes }) => [bytes] },
    timestamp: 1,
  });
  sent.insert(command('RPUSH list a', 0), LIST, { at: 0, values: ['a'] });
  const set: readonly Argument[] = ['HSET', HASH.key, 'f', '1'];
  sent.attempt(command('HSET hash f 1', 1), [set], [HASH]);
  sent.send(command('SELECT 1', 2), encodeCommand(['SELECT', '1']));
  expect(lines(sent)).toEqual(['splice: insert 0 1 a', 'attempt: HSET hash f 1', 'SELECT 1']);
});
