import { describe, expect, test } from 'vitest';
import { payloadCommands } from '../../../../src/protocol/payload.js';
import { encodeCommand } from '../../../../src/redis-commands/encode-command.js';
import { isMessage, messageFault } from '../../../../src/protocol/messages/messages.js';
import { encodeNeed, LACK, parseNeed } from '../../../../src/protocol/messages/state-request.js';
import { parseState } from '../../../../src/protocol/messages/state.js';

const SAID = Object.values(LACK).flatMap((lack) =>
  [false, true].flatMap((isContended) =>
    [false, true].map((asElements) => ({ lack, isContended, asElements, theirLack: LACK.peerWrites })),
  ),
);

test.each(SAID)(
  'a request says what its asker lacks, whether its keys are contended, and whether it wants elements: %o',
  (said) => {
    const need = {
      timestamp: 1234,
      ...said,
      keys: [
        { database: 0, key: Buffer.from('a') },
        { database: 3, key: Buffer.from([0, 255]) },
      ],
    };
    const [command] = payloadCommands(encodeNeed(need));
    expect(isMessage(command!.args)).toBe(true);
    expect(parseNeed(command!.args)).toEqual(need);
  },
);

describe('the elements of a value', () => {
  const state = (...made: string[][]): Buffer[] =>
    ['TANDEM.STATE', '0', 'key', '0', '0', 'east', '0', '-1']
      .map((word) => Buffer.from(word))
      .concat(Buffer.concat(made.map((command) => encodeCommand(command))), Buffer.from('elements'));

  test('are taken as the commands that make the key', () => {
    const args = state(['XADD', 'key', '1-1', 'f', 'v'], ['XGROUP', 'CREATE', 'key', 'g', '0']);
    expect(messageFault(args)).toBeUndefined();
    const { made, dump } = parseState(args);
    expect(made!.map((command) => command.map(String).join(' '))).toEqual([
      'XADD key 1-1 f v',
      'XGROUP CREATE key g 0',
    ]);
    expect(dump.length).toBe(0);
  });

  test.each([
    [['RPUSH', 'another', 'x']],
    [['RPUSH', 'key']],
    [['rpush', 'key', 'x']],
    [['DEL', 'key']],
    [['SET', 'key', 'v', 'PX', '1']],
    [['EVAL', 'key', '0']],
    [['CONFIG', 'SET', 'dir', '/']],
    [['XGROUP', 'CREATE', 'another', 'key', '0']],
    [['XGROUP', 'HELP', 'key']],
    [['MULTI'], ['EXEC']],
    [['RPUSH', 'key', 'x'], ['FLUSHALL']],
    [],
  ])('may be nothing else: %j', (...made) => {
    expect(messageFault(state(...made.filter((one) => one !== undefined)))).toMatch(/makes no value/);
  });

  test('end with the value', () => {
    const args = state(['RPUSH', 'key', 'x']);
    args[8] = Buffer.concat([args[8]!, Buffer.from('*1\r\n')]);
    expect(messageFault(args)).toMatch(/makes no value/);
    args[8] = Buffer.from('no commands');
    expect(messageFault(args)).toMatch(/makes no value/);
    args[9] = Buffer.from('another form');
    expect(messageFault(args)).toMatch(/arguments/);
  });
});
