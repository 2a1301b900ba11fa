import { expect, test } from 'vitest';
import { payloadCommands } from '../../../../src/protocol/payload.js';
import { outgoing } from '../../../../src/capture/outgoing.js';
import { Filter } from '../../../../src/config/filter.js';
import { encodeFunctions, parseFunctions } from '../../../../src/protocol/messages/functions.js';
import { encodeLibraries, parseLibraries } from '../../../../src/protocol/messages/libraries.js';
import { codeDigest } from '../../../../src/protocol/messages/library-parts.js';
import { encodeLibrary, loadingOf } from '../../../../src/protocol/messages/library.js';
import { isMessage, messageFault } from '../../../../src/protocol/messages/messages.js';

const CODE = Buffer.from("#!lua name=one\nredis.register_function('f', function() end)");
const filter = new Filter({
  databases: 'all',
  keysInclude: ['*'],
  keysExclude: [],
  commandsExclude: [],
  channelsInclude: ['*'],
  channelsExclude: [],
});

function argsOf(bytes: Buffer): readonly Buffer[] {
  const [command] = payloadCommands(bytes);
  expect(isMessage(command!.args)).toBe(true);
  return command!.args;
}

test('what is asked and told of libraries is understood', () => {
  expect(parseFunctions(argsOf(encodeFunctions('s', 3, ['one', 'two'])))).toEqual({
    session: 's',
    number: 3,
    names: ['one', 'two'],
  });
  const told = { session: 's', number: 3, shelf: new Map([['one', codeDigest(CODE)]]) };
  expect(parseLibraries(argsOf(encodeLibraries(told)))).toEqual(told);
  const untold = { session: 's', number: 3, shelf: undefined };
  expect(parseLibraries(argsOf(encodeLibraries(untold)))).toEqual(untold);
  const loading = [...payloadCommands(loadingOf(argsOf(encodeLibrary('one', CODE))))];
  expect(loading.map(({ args }) => args.map(String))).toEqual([
    ['FUNCTION', 'LOAD', 'REPLACE', String(CODE)],
  ]);
});

test.each([
  [['TANDEM.FUNCTIONS', 's']],
  [['TANDEM.FUNCTIONS', 'S S', '1']],
  [['TANDEM.FUNCTIONS', 's', '1', 'no name']],
  [['TANDEM.LIBRARIES', 's', '1']],
  [['TANDEM.LIBRARIES', 's', '1', '2']],
  [['TANDEM.LIBRARIES', 's', '1', '1', 'one']],
  [['TANDEM.LIBRARIES', 's', '1', '1', 'one', 'no digest']],
  [['TANDEM.LIBRARY', 'one']],
  [['TANDEM.LIBRARY', 'one', 'no code']],
  [['TANDEM.LIBRARY', 'one', '#!lua', 'more']],
])('what is malformed is: %j', (words) => {
  expect(messageFault(words.map((word) => Buffer.from(word)))).toBeDefined();
});

test('of the functions that a site keeps neither code nor names leave it', () => {
  const shelf = new Map([['one', codeDigest(CODE)]]);
  const answer = argsOf(encodeLibraries({ session: 's', number: 1, shelf }));
  expect(outgoing(answer, { filter, functions: true })).toEqual(answer);
  expect(parseLibraries(outgoing(answer, { filter, functions: false })!).shelf).toBeUndefined();
  expect(outgoing(argsOf(encodeLibrary('one', CODE)), { filter, functions: false })).toBeUndefined();
});
