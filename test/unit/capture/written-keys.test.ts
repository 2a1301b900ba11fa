import { expect, test } from 'vitest';
import { placedBy } from '../../../src/capture/written-keys.js';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { captured } from './captured.js';
import { KEYS } from './stream-story.js';

function shown(from: string, to: string): string[] | undefined {
  const reader = new CommandReader();
  reader.push(encodeCommand(['RENAME', from, to]));
  reader.next();
  return placedBy(reader, Buffer.from(KEYS.prefix))
    ?.arguments()
    .map((one) => one.toString());
}

test('a value that was put together beside the keys shows as one that was restored', () => {
  expect(shown(KEYS.assembled, 'key')).toEqual(['RESTORE', 'key', '0', '', 'REPLACE']);
});

test('a value that goes out of its way, and one beside that changes its name, show nothing', () => {
  expect(shown('key', `${KEYS.out}:replaced`)).toBeUndefined();
  expect(shown(KEYS.assembled, `${KEYS.out}:value`)).toBeUndefined();
});

test('a name that the peer has changed shows as it is', () => {
  expect(shown('a', 'b')).toEqual(['RENAME', 'a', 'b']);
});

test('a batch ends behind a part, so that a state is planned behind the last one', () => {
  const part = encodeCommand(['TANDEM.PART', 0, 'key', 'a1-7', 1, 'set', 'a']);
  const state = encodeCommand(['TANDEM.STATE', 0, 'key', 0, 0, 'east', 0, -1, 'a1-7 1 set 1', 'parts']);
  const written = (value: Buffer): Buffer => encodeCommand(['SET', KEYS.out, value]);
  const stream = Buffer.concat([encodeCommand(['SELECT', 0]), written(part), written(state)]);
  expect(captured([stream]).batches).toHaveLength(2);
});

test('nothing of a key that is left out leaves the site in parts', () => {
  const part = encodeCommand(['TANDEM.PART', 0, 'key', 'a1-7', 1, 'set', 'a']);
  const stream = Buffer.concat([encodeCommand(['SELECT', 0]), encodeCommand(['SET', KEYS.out, part])]);
  const { batches, skipped } = captured([stream], { filter: { keysExclude: ['key'] } });
  expect([batches, skipped]).toEqual([[], ['filtered TANDEM.PART']]);
});
