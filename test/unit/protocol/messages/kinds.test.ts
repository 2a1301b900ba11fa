import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { messageFault, messageKeys, messageKind } from '../../../../src/protocol/messages/messages.js';

const NAMES = await namesInFolder();

/** The names of all messages that the files of the folder know. */
async function namesInFolder(): Promise<string[]> {
  const folder = new URL('../../../../src/protocol/messages/', import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  const modules = await Promise.all(
    files.map((file) => import(new URL(file, folder).href) as Promise<Record<string, unknown>>),
  );
  return modules
    .flatMap((exported) => Object.values(exported))
    .filter((one): one is string => typeof one === 'string' && one.startsWith('TANDEM.'));
}

test('every message that has a file is known', () => {
  expect(NAMES).toHaveLength(20);
  expect(NAMES.filter((name) => messageKind(name)?.name !== name)).toEqual([]);
});

test.each(NAMES)('%s without arguments is malformed, and names no key', (name) => {
  const args = [Buffer.from(name)];
  expect(messageFault(args)).toBeDefined();
  expect(messageKind(name)!.keys(args)).toEqual([]);
});

test('only what has its place among the writes of a key counts as one of them', () => {
  const args = ['TANDEM.TURN', 's', '1', '0', 'key'].map((word) => Buffer.from(word));
  expect(messageFault(args)).toBeUndefined();
  expect(messageKind('TANDEM.TURN')!.keys(args)).toHaveLength(1);
  expect(messageKeys('TANDEM.TURN', args)).toEqual([]);
});

test('a message that tells too little of the members of a set is malformed', () => {
  expect(messageFault(['TANDEM.MEMBERS', '0', 'key'].map((word) => Buffer.from(word)))).toBeDefined();
});
